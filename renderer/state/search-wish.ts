import { create } from 'zustand';

/** Whether somebody asked for the market's search line; the screen may still have to arrive before it can be given. */
export const useSearchWish = create<{ wanted: boolean }>()(() => ({ wanted: false }));
