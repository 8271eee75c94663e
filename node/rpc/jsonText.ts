/** An answer that is JSON already: large ones are written where they were computed, and copied once. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
