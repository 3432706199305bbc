/** Texts to take along: a button that copies, a block of lines with one, and files that never had an address. */

import { createSignal, Show } from 'solid-js';

export function CopyButton(props: { readonly text: string; readonly what: string }) {
  const [copied, setCopied] = createSignal<string>();
  const isCopied = () => copied() === props.text;
  return (
    // Where the page came without TLS there is no clipboard: texts are selected by hand.
    <Show when={navigator.clipboard}>
      <button
        type="button"
        class="second small"
        aria-label={`${isCopied() ? 'Copied' : 'Copy'}: ${props.what}`}
        onClick={() => {
          const { text } = props;
          void navigator.clipboard.writeText(text).then(
            () => setCopied(text),
            () => setCopied(undefined),
          );
        }}
      >
        {isCopied() ? 'Copied' : 'Copy'}
      </button>
    </Show>
  );
}

/** They scroll by themselves, so they are reached by keys too. */
export function LinesToCopy(props: { readonly where: string; readonly text: string }) {
  return (
    <figure class="lines">
      <figcaption>
        <span class="quiet">{props.where}</span>
        <CopyButton text={props.text} what={props.where} />
      </figcaption>
      <pre tabindex="0">
        <code>{props.text}</code>
      </pre>
    </figure>
  );
}

/** A file of a text that is only here. Its address is the browser's own and ends with the click. */
export function SaveButton(props: { readonly name: string; readonly text: string }) {
  const save = () => {
    const address = URL.createObjectURL(new Blob([props.text], { type: 'text/plain' }));
    const link = Object.assign(document.createElement('a'), { href: address, download: props.name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address));
  };
  return (
    <button type="button" class="second small" onClick={save}>
      Save {props.name}
    </button>
  );
}
