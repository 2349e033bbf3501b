/** Two half rings joined by a spark: one card, two people. */
export function Mark({ size = 24 }: { size?: number }) {
  return (
    <svg
      className="mark"
      viewBox="0 0 32 32"
      width={size}
      height={size}
      fill="none"
      strokeWidth={3.2}
      strokeLinecap="round"
      aria-hidden
    >
      <path d="M12.4 5.6a11 11 0 0 0 0 20.8" className="mark-ring" />
      <path d="M19.6 5.6a11 11 0 0 1 0 20.8" className="mark-ring" />
      <path d="M17.6 8.5 12.8 17h6.4l-4.8 8.5" className="mark-spark" strokeLinejoin="round" />
    </svg>
  );
}
