/**
 * Which presentation time belongs to a place in continuous sound. A child knows no times: it gets frame after frame, and counts.
 * So what goes in is noted with its place, and the places of what comes out are looked up. Pure.
 */

type Mark = { readonly positionUs: number; readonly presentationTimeUs: number };

export class Timeline {
  /** In order of place; the first one is the last that came out, or the first that went in. */
  readonly #marks: Mark[] = [];

  /** Marks that no place behind them was asked for yet: units on their way. */
  get ahead(): number {
    return Math.max(0, this.#marks.length - 1);
  }

  /** @param positionUs  where a unit begins, counted from the first: never less than before */
  mark(positionUs: number, presentationTimeUs: number): void {
    this.#marks.push({ positionUs, presentationTimeUs });
  }

  /**
   * @param positionUs  never less than before, but for rounding; before the first mark for samples that an encoder puts in front
   * @returns undefined while nothing is marked
   */
  timeAt(positionUs: number): number | undefined {
    let used = 0;
    // Half a sample: places of both sides are rounded in their own ways.
    while ((this.#marks[used + 1]?.positionUs ?? Number.POSITIVE_INFINITY) <= positionUs + 10) used++;
    this.#marks.splice(0, used);
    const mark = this.#marks[0];
    return mark === undefined ? undefined : mark.presentationTimeUs + (positionUs - mark.positionUs);
  }
}
