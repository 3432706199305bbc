/** A button for what cannot be taken back: the second press does it. Which one is asked lies outside, since rows come and go. */

export function AskedTwice(props: {
  readonly word: 'Remove' | 'Release' | 'Revoke';
  /** What it is done to, for whoever hears the button without its row. */
  readonly of?: string;
  readonly kind?: 'plain' | 'second';
  readonly isAsked: boolean;
  readonly onAsk: () => void;
  readonly onSure: () => void;
}) {
  const text = () => (props.isAsked ? `Yes, ${props.word.toLowerCase()}` : props.word);
  return (
    <button
      type="button"
      class={props.isAsked ? 'danger small' : `${props.kind ?? 'plain'} small`}
      aria-label={props.of === undefined ? undefined : `${text()} ${props.of}`}
      onClick={(event) => {
        if (!props.isAsked) props.onAsk();
        // A double click is one answer, not two.
        else if (event.detail < 2) props.onSure();
      }}
    >
      {text()}
    </button>
  );
}
