import type { Address, Bytes32 } from '../shared/ids.ts';
import { ETH } from '../shared/ids.ts';
import { lastStartOf, riskOf } from '../shared/job-terms.ts';
import type { SqliteDatabase } from './database.ts';
import { INDEXED_JOB_STATES } from './indexed-jobs.ts';
import type {
  IndexedJob,
  IndexedJobDeal,
  IndexedJobState,
  JobStats,
  OpenJobsFilter,
  Standing,
} from './indexed-jobs.ts';
import { jobTermsFromText, jobTermsToText } from './terms-text.ts';

/** A standing as it is folded; what is at risk is counted from running deals. */
export type StoredStanding = Omit<Standing, 'atRisk'>;

/** Reading what index.db knows of jobs. */
export interface JobsReader {
  job(jobId: Bytes32): IndexedJob | null;
  jobDeal(dealId: Bytes32): IndexedJobDeal | null;
  /** In the order they were taken. */
  jobDeals(jobId: Bytes32): IndexedJobDeal[];
  /** Newest first. */
  jobsOf(account: Address, options?: { role?: 'renter' | 'provider'; open?: boolean; limit?: number }): IndexedJob[];
  jobDealsOf(provider: Address, options?: { open?: boolean; limit?: number }): IndexedJobDeal[];
  /** @param now unix seconds: what has to be started before is left out */
  openJobs(filter: OpenJobsFilter, now: number): IndexedJob[];
  jobStats(): JobStats;
  standing(account: Address): Standing;
}

/** Writing it; only the indexer does. */
export interface JobsWriter {
  /** @param bounty whole tokens */
  putJob(job: IndexedJob, bounty: number): void;
  putJobDeal(deal: IndexedJobDeal, job: Pick<IndexedJob, 'terms'>): void;
  /** With every provider's run of it. */
  removeJob(jobId: Bytes32): void;
  putStanding(standing: StoredStanding): void;
  removeStanding(account: Address): void;
}

interface JobRow {
  jobId: Bytes32;
  state: IndexedJobState;
  postedAt: number;
  taken: number;
  submitted: number;
  revealed: number;
  agreeing: number;
  until: number;
  resultId: Bytes32 | null;
  paid: string;
  refund: string;
  forfeit: string;
  endedAt: number | null;
  terms: string;
  spec: string | null;
}

const JOB_COLUMNS = `jobs.job_id AS jobId, jobs.state, posted_at AS postedAt, taken, submitted, revealed, agreeing,
  jobs.until, jobs.result_id AS resultId, jobs.paid, jobs.refund, jobs.forfeit, ended_at AS endedAt, terms, spec`;

const jobFromRow = (row: JobRow): IndexedJob => ({
  ...row,
  terms: jobTermsFromText(row.terms),
  paid: BigInt(row.paid),
  refund: BigInt(row.refund),
  forfeit: BigInt(row.forfeit),
});

interface DealRow {
  dealId: Bytes32;
  jobId: Bytes32;
  provider: Address;
  offerId: Bytes32;
  state: IndexedJobDeal['state'];
  assignedAt: number;
  submittedAt: number | null;
  commitment: Bytes32 | null;
  resultId: Bytes32 | null;
  until: number;
  challenger: Address | null;
  challengeBond: string;
  jury: string | null;
  paid: string;
  fee: string;
  refund: string;
  forfeit: string;
  settledAt: number | null;
  settledTx: Bytes32 | null;
}

const DEAL_COLUMNS = `deal_id AS dealId, job_id AS jobId, provider, offer_id AS offerId, state, assigned_at AS assignedAt,
  submitted_at AS submittedAt, commitment, result_id AS resultId, until, challenger, challenge_bond AS challengeBond, jury,
  paid, fee, refund, forfeit, settled_at AS settledAt, settled_tx AS settledTx`;

const dealFromRow = (row: DealRow): IndexedJobDeal => ({
  ...row,
  challengeBond: BigInt(row.challengeBond),
  jury: row.jury === null ? null : (JSON.parse(row.jury) as IndexedJobDeal['jury']),
  paid: BigInt(row.paid),
  fee: BigInt(row.fee),
  refund: BigInt(row.refund),
  forfeit: BigInt(row.forfeit),
});

interface StandingRow {
  account: Address;
  strikes: number;
  rejections: number;
  rejectedAt: number | null;
  reputation: number;
  staked: string;
  unbonding: string;
  releaseAt: number;
  operator: Address | null;
  ratings: number;
  ratingsSum: number;
}

/** In hundredths of a point. */
const START_REPUTATION = 10_000;

const MOST_OPEN = 1000;
const MOST_LISTED = 10_000;

/** States in which a job can still change. */
const OPEN_JOB = "jobs.state IN ('open', 'assigned', 'submitted', 'disputed')";

export function jobsReader(db: SqliteDatabase): JobsReader {
  const job = db.prepare<[Bytes32], JobRow>(`SELECT ${JOB_COLUMNS} FROM jobs WHERE job_id = ?`);
  const deal = db.prepare<[Bytes32], DealRow>(`SELECT ${DEAL_COLUMNS} FROM job_deals WHERE deal_id = ?`);
  const dealsOfJob = db.prepare<[Bytes32], DealRow>(
    `SELECT ${DEAL_COLUMNS} FROM job_deals WHERE job_id = ? ORDER BY assigned_at, deal_id`,
  );
  const ids = {
    renter: 'SELECT job_id FROM jobs WHERE renter = :account',
    provider: 'SELECT job_id FROM job_deals WHERE provider = :account',
  };
  // Chosen and sorted by what is short; the specs of the chosen are read at the end.
  const listed = (source: string, open: string) =>
    db.prepare<[{ account: Address; limit: number }], JobRow>(
      `SELECT ${JOB_COLUMNS} FROM (SELECT job_id AS id FROM jobs WHERE job_id IN (${source}) ${open}
        ORDER BY posted_at DESC, job_id LIMIT :limit) CROSS JOIN jobs ON job_id = id ORDER BY posted_at DESC, job_id`,
    );
  const lists = (open: string) => ({
    renter: listed(ids.renter, open),
    provider: listed(ids.provider, open),
    either: listed(`${ids.renter} UNION ${ids.provider}`, open),
  });
  const [all, open] = [lists(''), lists(`AND ${OPEN_JOB}`)];
  const dealsOf = (running: string) =>
    db.prepare<[Address, number], DealRow>(
      `SELECT ${DEAL_COLUMNS} FROM job_deals WHERE provider = ? ${running} ORDER BY assigned_at DESC, deal_id LIMIT ?`,
    );
  const [allDeals, runningDeals] = [dealsOf(''), dealsOf('AND settled_at IS NULL')];
  const takeable = db.prepare<
    [
      {
        now: number;
        gpuCount: number;
        gpuMemoryGb: number;
        token: Address | null;
        provider: Address;
        minBounty: number;
        limit: number;
      },
    ],
    JobRow
  >(
    `SELECT ${JOB_COLUMNS} FROM jobs INDEXED BY jobs_open
      WHERE state = 'open' AND taken < copies AND last_start >= :now AND gpu_count <= :gpuCount
        AND gpu_memory_gb <= :gpuMemoryGb AND (:token IS NULL OR token = :token) AND bounty >= :minBounty
        AND assignee IN ('${ETH}', :provider)
        AND NOT EXISTS (SELECT 1 FROM job_deals WHERE job_deals.job_id = jobs.job_id AND provider = :provider)
      ORDER BY last_start, job_id LIMIT :limit`,
  );
  const states = db.prepare<[], { state: IndexedJobState; n: number }>(
    'SELECT state, count(*) AS n FROM jobs GROUP BY state',
  );
  const standing = db.prepare<[Address], StandingRow>(
    `SELECT account, strikes, rejections, rejected_at AS rejectedAt, reputation, staked, unbonding,
      release_at AS releaseAt, operator, ratings, ratings_sum AS ratingsSum FROM standings WHERE account = ?`,
  );
  const risks = db.prepare<[Address], { risk: string }>(
    'SELECT risk FROM job_deals WHERE provider = ? AND settled_at IS NULL',
  );
  return {
    job(jobId) {
      const row = job.get(jobId);
      return row ? jobFromRow(row) : null;
    },
    jobDeal(dealId) {
      const row = deal.get(dealId);
      return row ? dealFromRow(row) : null;
    },
    jobDeals: (jobId) => dealsOfJob.all(jobId).map(dealFromRow),
    jobsOf: (account, options = {}) =>
      (options.open === true ? open : all)[options.role ?? 'either']
        .all({ account, limit: options.limit ?? MOST_LISTED })
        .map(jobFromRow),
    jobDealsOf: (provider, options = {}) =>
      (options.open === true ? runningDeals : allDeals).all(provider, options.limit ?? MOST_LISTED).map(dealFromRow),
    openJobs: ({ limit, gpuCount = 255, gpuMemoryGb = 65_535, token, provider = ETH, minBounty = 0 }, now) =>
      takeable
        .all({
          now,
          gpuCount,
          gpuMemoryGb,
          token: token ?? null,
          provider,
          minBounty,
          limit: Math.min(MOST_OPEN, Math.max(1, Math.floor(limit))),
        })
        .map(jobFromRow),
    jobStats() {
      const byState = Object.fromEntries(INDEXED_JOB_STATES.map((state) => [state, 0])) as JobStats['byState'];
      let total = 0;
      for (const { state, n } of states.all()) {
        byState[state] = n;
        total += n;
      }
      return { total, byState };
    },
    standing(account) {
      const row = standing.get(account);
      const atRisk = risks.all(account).reduce((sum, { risk }) => sum + BigInt(risk), 0n);
      if (!row) {
        return {
          account,
          strikes: 0,
          rejections: 0,
          rejectedAt: null,
          reputation: START_REPUTATION,
          staked: 0n,
          unbonding: 0n,
          releaseAt: 0,
          atRisk,
          operator: null,
          ratings: { count: 0, sum: 0 },
        };
      }
      const { ratings, ratingsSum, ...rest } = row;
      return {
        ...rest,
        staked: BigInt(row.staked),
        unbonding: BigInt(row.unbonding),
        atRisk,
        ratings: { count: ratings, sum: ratingsSum },
      };
    },
  };
}

export function jobsWriter(db: SqliteDatabase): JobsWriter {
  type JobValues = JobRow & {
    renter: Address;
    assignee: Address;
    token: Address;
    bounty: number;
    gpuCount: number;
    gpuMemoryGb: number;
    deadline: number;
    lastStart: number;
    copies: number;
  };
  const putJob = db.prepare<[JobValues]>(
    `INSERT INTO jobs VALUES (:jobId, :renter, :assignee, :token, :bounty, :gpuCount, :gpuMemoryGb, :deadline, :lastStart,
      :copies, :state, :postedAt, :taken, :submitted, :revealed, :agreeing, :until, :resultId, :paid, :refund, :forfeit,
      :endedAt, :terms, :spec) ON CONFLICT (job_id) DO UPDATE SET state = :state, taken = :taken, submitted = :submitted,
      revealed = :revealed, agreeing = :agreeing, until = :until, result_id = :resultId, paid = :paid, refund = :refund,
      forfeit = :forfeit, ended_at = :endedAt`,
  );
  const putDeal = db.prepare<[DealRow & { risk: string }]>(
    `REPLACE INTO job_deals VALUES (:dealId, :jobId, :provider, :offerId, :state, :assignedAt, :submittedAt, :commitment,
      :resultId, :until, :challenger, :challengeBond, :jury, :paid, :fee, :refund, :forfeit, :settledAt, :settledTx, :risk)`,
  );
  const removeJob = db.prepare<[Bytes32]>('DELETE FROM jobs WHERE job_id = ?');
  const removeDeals = db.prepare<[Bytes32]>('DELETE FROM job_deals WHERE job_id = ?');
  const putStanding = db.prepare<[StandingRow]>(
    `REPLACE INTO standings VALUES (:account, :strikes, :rejections, :rejectedAt, :reputation, :staked, :unbonding,
      :releaseAt, :operator, :ratings, :ratingsSum)`,
  );
  const removeStanding = db.prepare<[Address]>('DELETE FROM standings WHERE account = ?');
  return {
    putJob(job, bounty) {
      const { terms } = job;
      putJob.run({
        ...job,
        renter: terms.renter,
        assignee: terms.assignee,
        token: terms.token,
        bounty,
        gpuCount: terms.gpuCount,
        gpuMemoryGb: terms.gpuMemoryGb,
        deadline: terms.deadline,
        lastStart: lastStartOf(terms),
        copies: terms.copies,
        paid: `${job.paid}`,
        refund: `${job.refund}`,
        forfeit: `${job.forfeit}`,
        terms: jobTermsToText(terms),
      });
    },
    putJobDeal(deal, { terms }) {
      putDeal.run({
        ...deal,
        challengeBond: `${deal.challengeBond}`,
        jury: deal.jury === null ? null : JSON.stringify(deal.jury),
        paid: `${deal.paid}`,
        fee: `${deal.fee}`,
        refund: `${deal.refund}`,
        forfeit: `${deal.forfeit}`,
        risk: `${riskOf(terms)}`,
      });
    },
    removeJob(jobId) {
      removeJob.run(jobId);
      removeDeals.run(jobId);
    },
    putStanding(values) {
      const { ratings, ...rest } = values;
      putStanding.run({
        ...rest,
        staked: `${values.staked}`,
        unbonding: `${values.unbonding}`,
        ratings: ratings.count,
        ratingsSum: ratings.sum,
      });
    },
    removeStanding: (account) => void removeStanding.run(account),
  };
}
