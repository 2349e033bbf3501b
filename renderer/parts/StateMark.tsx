import {
  IconBolt,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleX,
  IconHandFinger,
  IconHourglassHigh,
  IconPlayerPause,
  type Icon,
} from '@tabler/icons-react';
import type { Shape } from '../view/phase-words.ts';

const ICONS: Record<Shape, Icon> = {
  flow: IconBolt,
  ok: IconCircleCheck,
  wait: IconHourglassHigh,
  ask: IconHandFinger,
  stop: IconPlayerPause,
  fail: IconCircleX,
  off: IconCircleDashed,
};

/** A state as shape and word; colour only repeats what they say. */
export function StateMark({ shape, label }: { shape: Shape; label: string }) {
  const IconPart = ICONS[shape];
  return (
    <span className={`state-mark state-${shape}`}>
      <IconPart size={14} aria-hidden />
      {label}
    </span>
  );
}
