export const SCREENS = ['share', 'market', 'rentals', 'wallet'] as const;
export type ScreenName = (typeof SCREENS)[number];
