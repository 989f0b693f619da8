// What a terminal sends, as keys: the bytes of xterm, read once here.

export type Key = { kind: 'text'; text: string } | { kind: 'key'; name: KeyName };
export type KeyName = (typeof SEQUENCES)[number][1];

const SEQUENCES = [
  ['\r', 'enter'],
  ['\n', 'newline'],
  ['\x1b\r', 'newline'],
  ['\x1b[13;2u', 'newline'],
  ['\t', 'complete'],
  ['\x7f', 'backspace'],
  ['\b', 'backspace'],
  ['\x1b[3~', 'delete'],
  ['\x1b[D', 'left'],
  ['\x1bOD', 'left'],
  ['\x02', 'left'],
  ['\x1b[C', 'right'],
  ['\x1bOC', 'right'],
  ['\x06', 'right'],
  ['\x1b[A', 'up'],
  ['\x1bOA', 'up'],
  ['\x10', 'up'],
  ['\x1b[B', 'down'],
  ['\x1bOB', 'down'],
  ['\x0e', 'down'],
  ['\x1b[H', 'home'],
  ['\x1bOH', 'home'],
  ['\x01', 'home'],
  ['\x1b[F', 'end'],
  ['\x1bOF', 'end'],
  ['\x05', 'end'],
  ['\x1bb', 'wordLeft'],
  ['\x1b[1;5D', 'wordLeft'],
  ['\x1b[1;3D', 'wordLeft'],
  ['\x1bf', 'wordRight'],
  ['\x1b[1;5C', 'wordRight'],
  ['\x1b[1;3C', 'wordRight'],
  ['\x0b', 'killEnd'],
  ['\x15', 'killStart'],
  ['\x17', 'killWord'],
  ['\x1b\x7f', 'killWord'],
  ['\x19', 'yank'],
  ['\x03', 'interrupt'],
  ['\x04', 'endOfFile'],
  ['\x0c', 'clear'],
  ['\x12', 'search'],
] as const;

const BY_LENGTH = [...SEQUENCES].sort(([one], [other]) => other.length - one.length);
const [PASTE, PASTED] = ['\x1b[200~', '\x1b[201~'];
const UNKNOWN = /^\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.|.)?/s;
const PRINTABLE = /^[^\x00-\x1f\x7f]+/;

/** Return the keys in DATA; what is pasted is one text, an escape sequence that is not known is nothing. */
export function keysOf(data: string): Key[] {
  const keys: Key[] = [];
  for (let rest = data; rest !== ''; ) {
    const [key, length] = first(rest);
    if (key !== undefined) {
      keys.push(key);
    }
    rest = rest.slice(length);
  }
  return keys;
}

function first(data: string): [key: Key | undefined, length: number] {
  if (data.startsWith(PASTE)) {
    const end = data.indexOf(PASTED);
    const text = data.slice(PASTE.length, end < 0 ? undefined : end);
    return [{ kind: 'text', text: plain(text) }, end < 0 ? data.length : end + PASTED.length];
  }
  const found = BY_LENGTH.find(([sequence]) => data.startsWith(sequence));
  if (found !== undefined) {
    return [{ kind: 'key', name: found[1] }, found[0].length];
  }
  const text = PRINTABLE.exec(data)?.[0];
  return text === undefined ? [undefined, UNKNOWN.exec(data)?.[0].length ?? 1] : [{ kind: 'text', text }, text.length];
}

/** Return TEXT with line feeds only and without what a terminal would obey. */
function plain(text: string): string {
  return text.replace(/\r\n?/g, '\n').replace(/\t/g, '  ').replace(/[\x00-\x09\x0b-\x1f\x7f]/g, '');
}
