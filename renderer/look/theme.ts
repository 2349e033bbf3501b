import {
  ActionIcon,
  Button,
  createTheme,
  Drawer,
  Menu,
  Modal,
  Notification,
  Tooltip,
  type MantineColorsTuple,
} from '@mantine/core';

const amber: MantineColorsTuple = [
  '#fff6e5',
  '#ffe9c4',
  '#ffd896',
  '#fdc566',
  '#f9b440',
  '#f5a524',
  '#dc8f12',
  '#b5730a',
  '#8a5706',
  '#633d02',
];

const dark: MantineColorsTuple = [
  '#e7e9ec',
  '#c6ccd3',
  '#9ea7b1',
  '#808994',
  '#343a42',
  '#262a30',
  '#1a1d21',
  '#131518',
  '#0d0e10',
  '#08090a',
];

/** Colours live in colours.css as variables; this only tells Mantine which of them its own parts use. */
export const theme = createTheme({
  colors: { amber, dark },
  primaryColor: 'amber',
  primaryShade: { light: 5, dark: 5 },
  autoContrast: true,
  luminanceThreshold: 0.18,
  fontFamily: "'Inter Variable', ui-sans-serif, system-ui, 'Segoe UI', sans-serif",
  fontFamilyMonospace: "ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace",
  defaultRadius: 6,
  respectReducedMotion: true,
  cursorType: 'pointer',
  focusRing: 'auto',
  components: {
    Button: Button.extend({ defaultProps: { size: 'sm' } }),
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 32 } }),
    Tooltip: Tooltip.extend({ defaultProps: { openDelay: 350, withArrow: false } }),
    Notification: Notification.extend({ defaultProps: { closeButtonProps: { 'aria-label': 'Close' } } }),
    Menu: Menu.extend({ defaultProps: { shadow: 'md' } }),
    Modal: Modal.extend({
      defaultProps: {
        centered: true,
        closeButtonProps: { 'aria-label': 'Close' },
        overlayProps: { backgroundOpacity: 0.5 },
      },
    }),
    Drawer: Drawer.extend({
      defaultProps: {
        position: 'right',
        closeButtonProps: { 'aria-label': 'Close' },
        overlayProps: { backgroundOpacity: 0.4 },
      },
    }),
  },
});
