/** A card (or, marked as such, the processor) that can be shared. What never changes while the driver is loaded. */
export interface Device {
  /** The vendor's uuid (`GPU-…`, `MIG-…`), or `cpu`. */
  id: string;
  kind: 'gpu' | 'cpu';
  /** "NVIDIA", "AMD", "Intel", "Apple". */
  vendor: string;
  /** As the field calls it, without the vendor: "GeForce RTX 3090". */
  model: string;
  memoryBytes: number | null;
  index: number;
  driver: string | null;
  /** "8.6"; NVIDIA only. */
  computeCapability: string | null;
  pciBusId: string | null;
  mig: boolean;
  /** Cores, processors only. */
  cores: number | null;
}

/** One reading of one device. `null` means the device does not say. */
export interface Sample {
  deviceId: string;
  /** Unix milliseconds. */
  atMs: number;
  /** 0 to 100. */
  utilization: number | null;
  memoryUsedBytes: number | null;
  temperatureC: number | null;
  fanPercent: number | null;
  powerW: number | null;
  powerLimitW: number | null;
  clockSmMhz: number | null;
  clockMemoryMhz: number | null;
  pstate: string | null;
  /** Active reasons for lower clocks, in words: "thermal", "power cap". */
  throttle: string[];
}
