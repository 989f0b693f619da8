// Reading what Lisp printed, as far as the views need it.

const TOKEN = /^(?:"(?:[^"\\]|\\[^])*"|\|[^|]*\||#\\.[^\s()]*|[^\s()"|#]+|#|\|)/;

/** Return the arguments in the printed call TEXT: `(F #<A 1> "x y")` -> `#<A 1>`, `"x y"`. */
export function argumentsIn(text: string): string[] {
  return text.startsWith('(') ? formsIn(text.slice(1, -1)).slice(1) : [];
}

function formsIn(text: string): string[] {
  const forms: string[] = [];
  for (let rest = text.trimStart(); rest !== ''; ) {
    const length = formLength(rest);
    forms.push(rest.slice(0, length));
    rest = rest.slice(length).trimStart();
  }
  return forms;
}

/** A form ends at the first white space outside of strings, lists and unreadable objects. */
function formLength(text: string): number {
  let [length, depth] = [0, 0];
  while (length < text.length) {
    const rest = text.slice(length);
    if (rest.startsWith('#<') || rest.startsWith('(')) {
      depth += 1;
      length += rest.startsWith('(') ? 1 : 2;
    } else if (depth > 0 && (rest.startsWith('>') || rest.startsWith(')'))) {
      depth -= 1;
      length += 1;
    } else if (/^\s/.test(rest)) {
      if (depth === 0) {
        break;
      }
      length += 1;
    } else {
      const token = TOKEN.exec(rest)?.[0] ?? rest.slice(0, 1);
      const end = depth > 0 ? token.indexOf('>') : -1;
      length += end > 0 ? end : token.length;
    }
  }
  return Math.max(length, 1);
}
