/** Credit-based flow control for one stream: the producer may be at most `window` frames ahead of the last ack. */
export class CreditGate {
  readonly #window: number;
  #acked = 0;
  #sent = 0;
  #wake: (() => void) | null = null;

  constructor(window: number) {
    this.#window = window;
  }

  /** Acks are cumulative; one from the future counts only up to what was sent. */
  ack(seq: number): void {
    const upTo = Math.min(seq, this.#sent);
    if (upTo <= this.#acked) return;
    this.#acked = upTo;
    this.#wake?.();
  }

  /** The next sequence number, once there is room for it. Rejects with the signal's reason. */
  async take(signal: AbortSignal): Promise<number> {
    while (this.#sent - this.#acked >= this.#window) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      this.#wake = null;
    }
    signal.throwIfAborted();
    this.#sent += 1;
    return this.#sent;
  }
}
