export const SCREENS = ['share', 'market', 'rentals', 'jobs', 'wallet'] as const;
export type ScreenName = (typeof SCREENS)[number];
