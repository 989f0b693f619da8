// Where the text being typed stands on a terminal, and the bytes that put it there.

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const NOTHING = /\p{Mark}|\u200d/u;
const COLOUR = /\x1b\[[0-9;]*m/g;

type Place = { row: number; column: number };

/** The part of the terminal below everything printed: a prompt and what is typed after it. */
export class Screen {
  columns = 80;
  private cursor: Place = { row: 0, column: 0 };

  /** Return the bytes that draw PROMPT and TEXT, with the cursor AT, over what was drawn before. */
  draw(prompt: string, text: string, at: number): string {
    const erased = this.erase();
    const width = cells(prompt.replace(COLOUR, ''));
    const { rows, places } = this.layOut(text, width);
    const [last, cursor] = [rows.length - 1, places[at] ?? { row: 0, column: width }];
    this.cursor = cursor;
    const up = last > cursor.row ? `\x1b[${last - cursor.row}A` : '';
    return `${erased}${prompt}${rows.join('\r\n')}${up}\r${cursor.column > 0 ? `\x1b[${cursor.column}C` : ''}`;
  }

  /** Return the bytes that take away what was drawn, so that something is printed in its place. */
  erase(): string {
    const up = this.cursor.row > 0 ? `\x1b[${this.cursor.row}A` : '';
    this.cursor = { row: 0, column: 0 };
    return `${up}\r\x1b[0J`;
  }

  /** Return the bytes after which TEXT, that was typed after PROMPT, stays and printing goes on below it. */
  leave(prompt: string, text: string): string {
    const drawn = this.draw(prompt, text, text.length);
    this.cursor = { row: 0, column: 0 };
    return `${drawn}\r\n`;
  }

  /** Return the rows of TEXT, each after the first indented as by a prompt of WIDTH, and each unit's place. */
  private layOut(text: string, width: number): { rows: string[]; places: Place[] } {
    const rows = [''];
    const places: Place[] = [];
    let column = width;
    const begin = (indent: number): void => {
      rows.push(' '.repeat(indent));
      column = indent;
    };
    for (const character of text) {
      if (character !== '\n' && column + cells(character) > this.columns) {
        begin(0);
      }
      const place = { row: rows.length - 1, column };
      places.push(...Array<Place>(character.length).fill(place));
      if (character === '\n') {
        begin(width < this.columns / 2 ? width : 0);
      } else {
        rows[rows.length - 1] += character;
        column += cells(character);
      }
    }
    if (column >= this.columns) {
      begin(0);
    }
    places.push({ row: rows.length - 1, column });
    return { rows, places };
  }
}

/** Return how many columns of a terminal TEXT takes. */
export function cells(text: string): number {
  let count = 0;
  for (const character of text) {
    count += NOTHING.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  }
  return count;
}
