// SIMULATION, for tests only: answers like nvidia-smi out of a recording of a real card.
//
//   node simulated-nvidia-smi.ts RECORDING JOURNAL [MODE] -- ARGUMENTS OF nvidia-smi
//
// JOURNAL: each start is noted there. MODE: `plain`; `dies` ends the loop after one round; `old` rejects the field that
// drivers before 535 do not know; `broken` fails at everything.
import { appendFileSync, readFileSync } from 'node:fs';

const [recording = '', journal = '', mode = 'plain', , ...args] = process.argv.slice(2);
appendFileSync(journal, `${process.pid} ${args.join(' ')}\n`);
if (mode === 'broken') {
  process.stdout.write('NVIDIA-SMI has failed because it could not communicate with the NVIDIA driver.\n');
  process.exit(9);
}

const text = readFileSync(recording, 'utf8');
const section = (title: string): string => {
  const start = text.indexOf(`# $ nvidia-smi ${title}`);
  if (start === -1) return '';
  const body = text.slice(text.indexOf('\n', start) + 1);
  const end = body.indexOf('# $ nvidia-smi');
  return (end === -1 ? body : body.slice(0, end)).trimEnd();
};
const project = (title: string, fields: readonly string[]): string[] => {
  const [head = '', ...rows] = section(title).split('\n');
  const names = head.split(', ').map((name) => name.replace(/ \[.*\]$/, ''));
  const columns = fields.map((field) => names.indexOf(field));
  return rows.map((row) => {
    const values = row.split(', ');
    return columns.map((column) => (values[column] ?? '[N/A]').replace(/ (MiB|W|MHz|%)$/, '')).join(', ');
  });
};

const query = args.find((argument) => argument.startsWith('--query-gpu='));
const apps = args.find((argument) => argument.startsWith('--query-compute-apps='));
const print = (lines: readonly string[]) => process.stdout.write(lines.map((line) => `${line}\n`).join(''));

if (args[0] === '-L') print([section('-L')]);
else if (args[0] === 'pmon') print([section('pmon')]);
else if (apps) print(project('--query-compute-apps', apps.slice(apps.indexOf('=') + 1).split(',')));
else if (query) {
  let fields = query.slice(query.indexOf('=') + 1).split(',');
  if (mode === 'old') {
    if (fields.includes('clocks_event_reasons.active')) {
      print(['Field "clocks_event_reasons.active" is not a valid field to query.', '']);
      process.exit(2);
    }
    fields = fields.map((field) => field.replace('clocks_throttle_reasons', 'clocks_event_reasons'));
  }
  const round = () => print(project('--query-gpu', fields));
  round();
  const loop = args.indexOf('-lms');
  if (loop !== -1 && mode === 'dies') process.exit(255);
  if (loop !== -1) setInterval(round, Number(args[loop + 1]));
} else process.exit(2);
