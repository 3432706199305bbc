/** A button for what cannot be taken back: the second press does it. Which one is asked lies outside, since rows come and go. */

export function AskedTwice(props: {
  readonly word: 'Remove' | 'Release';
  readonly kind?: 'plain' | 'second';
  readonly isAsked: boolean;
  readonly onAsk: () => void;
  readonly onSure: () => void;
}) {
  return (
    <button
      type="button"
      class={props.isAsked ? 'danger small' : `${props.kind ?? 'plain'} small`}
      onClick={() => (props.isAsked ? props.onSure() : props.onAsk())}
    >
      {props.isAsked ? `Yes, ${props.word.toLowerCase()}` : props.word}
    </button>
  );
}
