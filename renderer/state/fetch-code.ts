const ATTEMPTS = 4;
const PAUSE_MS = 300;

/**
 * Fetches a part of the window's code, again where that fails: a browser drops what it is fetching whenever a network
 * interface comes or goes, and every container that starts brings one.
 */
export async function fetchCode<T>(load: () => Promise<T>, attempt = 1): Promise<T> {
  try {
    return await load();
  } catch (thrown) {
    if (attempt === ATTEMPTS) throw thrown;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
    return fetchCode(load, attempt + 1);
  }
}
