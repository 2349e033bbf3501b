export function measureGas(): Promise<Record<string, number>>;
