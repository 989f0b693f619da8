// The parts of the terminal that know nothing of VS Code: keys, the line being typed, where it stands on the screen.
import assert from 'node:assert';
import { createRequire } from 'node:module';
import path from 'node:path';

const [, , extension] = process.argv;
const { buildSync } = createRequire(path.join(extension, 'package.json'))('esbuild');

/** Return what the source file NAME of the extension exports. */
async function load(name) {
  const entryPoints = [path.join(extension, 'src', name)];
  const [{ text }] = buildSync({ entryPoints, bundle: true, format: 'esm', write: false }).outputFiles;
  return import(`data:text/javascript,${encodeURIComponent(text)}`);
}

const { keysOf } = await load('repl/keys.ts');
const names = (data) => keysOf(data).map((key) => (key.kind === 'text' ? `"${key.text}"` : key.name));
assert.deepEqual(names('(f\r'), ['"(f"', 'enter']);
assert.deepEqual(names('\x1b\r\x1b[A\x1b[1;5D\x03'), ['newline', 'up', 'wordLeft', 'interrupt']);
assert.deepEqual(names('\x1b[200~(a\r\nb)\x07\x1b[201~x'), ['"(a\nb)"', '"x"']);
assert.deepEqual(names('\x1b[24~é\x1bOPz'), ['"é"', '"z"']);

const { Line } = await load('repl/line.ts');
const line = new Line(['(first)', '(second)', '(first 2)']);
line.insert('(f');
line.up();
assert.equal(line.text, '(first)');
line.up();
assert.equal(line.text, '(first 2)');
line.down();
line.down();
assert.equal(line.text, '(f');
line.clear();
line.insert('one 🙂\ntwo');
line.up();
assert.equal(line.at, 3);
line.end();
line.backspace();
assert.equal(line.text, 'one \ntwo');
line.killStart();
line.delete();
line.end();
line.insert(' ');
line.yank();
assert.equal(line.text, 'two one ');
assert.equal(line.take(), 'two one ');
line.up();
assert.equal(line.text, 'two one ');

const { Screen, cells } = await load('repl/screen.ts');
assert.equal(cells('a漢e\u0301'), 4);
const screen = new Screen();
screen.columns = 10;
assert.equal(screen.draw('> ', 'abc', 1), '\r\x1b[0J> abc\r\x1b[3C');
assert.equal(screen.draw('> ', 'abcdefghij', 10), '\r\x1b[0J> abcdefgh\r\nij\r\x1b[2C');
assert.equal(screen.draw('> ', 'a\nb', 0), '\x1b[1A\r\x1b[0J> a\r\n  b\x1b[1A\r\x1b[2C');
assert.equal(screen.erase(), '\r\x1b[0J');

const { argumentsIn } = await load('printed.ts');
assert.deepEqual(argumentsIn('(F #<A (1 2)> "x )y" (Q #\\( 3) -4)'), ['#<A (1 2)>', '"x )y"', '(Q #\\( 3)', '-4']);
console.log('all done');
