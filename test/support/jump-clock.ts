import type { Clock } from '../../src/shared/time.ts';

/** Real time that can be put forward. */
export class JumpClock implements Clock {
  #jumpedMs = 0;
  readonly monotonicMs = (): number => performance.now() + this.#jumpedMs;
  readonly now = (): number => Math.floor((Date.now() + this.#jumpedMs) / 1000);

  jump(seconds: number): void {
    this.#jumpedMs += seconds * 1000;
  }
}
