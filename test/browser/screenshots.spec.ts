import { SCREENS } from '../../renderer/view/screens.ts';
import { test, type WindowOptions } from './window.ts';

const FOLDER = process.env['COMMONWATT_SCREENSHOT_DIR'] ?? 'docs/screenshots';
const SIZES = process.env['COMMONWATT_SCREENSHOTS'] === 'all' ? [1280, 1920] : [1280];

const LOOKS: Record<(typeof SCREENS)[number], WindowOptions> = {
  share: { rentals: true, sharing: true },
  market: {},
  rentals: { rentals: true, warm: ['nvidia-smi', 'tail -3 train.log'] },
  wallet: { rentals: true },
};

test.describe('screenshots (made when asked for)', () => {
  test.skip(
    process.env['COMMONWATT_SCREENSHOTS'] === undefined,
    'set COMMONWATT_SCREENSHOTS=1 to write docs/screenshots',
  );
  for (const screen of SCREENS) {
    for (const scheme of ['dark', 'light'] as const) {
      for (const width of SIZES) {
        test(`${screen}, ${scheme}, ${width}`, async ({ open }) => {
          const { page } = await open({
            ...LOOKS[screen],
            at: `#/${screen}`,
            scheme,
            width,
            height: width === 1280 ? 800 : 1080,
          });
          await page.locator(`.screen-${screen}`).waitFor();
          if (screen === 'market')
            await page.getByRole('textbox', { name: 'Search offers' }).fill('vram>=24 price<0.5');
          await page.waitForTimeout(1500);
          await page.screenshot({ path: `${FOLDER}/${screen}-${scheme}${width === 1280 ? '' : `-${width}`}.png` });
        });
      }
    }
  }
});
