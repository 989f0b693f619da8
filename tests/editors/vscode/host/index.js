// Runs inside the extension host with the whole interface of VS Code; `run` is called by it.
const assert = require('node:assert');
const path = require('node:path');
const vscode = require('vscode');

const DEADLINE = 60_000;
const step = (name) => console.log(`step: ${name}`);
const command = (name, ...words) => vscode.commands.executeCommand(name, ...words);

/** Return the first true answer of ASK, asked now and after every event of SOURCES. */
async function when(what, ask, ...sources) {
  let look;
  let late;
  const found = new Promise((resolve, reject) => {
    look = async () => {
      const answer = await ask();
      if (answer) {
        resolve(answer);
      }
    };
    late = setTimeout(() => reject(new Error(`not within ${DEADLINE} ms: ${what}`)), DEADLINE);
  });
  const listening = sources.map((source) => source(() => look().catch(() => undefined)));
  try {
    await look();
    return await found;
  } finally {
    clearTimeout(late);
    listening.forEach((each) => each.dispose());
  }
}

/** Return a source of events: the server's notification METHOD. */
const hears = (client, method) => (listener) => client.onNotification(method, listener);

async function looks(document) {
  const at = document.positionAt(document.getText().indexOf('share 84') + 2);
  const [hover] = await command('vscode.executeHoverProvider', document.uri, at);
  assert.match(hover.contents.map((each) => each.value).join('\n'), /Return PART divided by WHOLE/);
  step('hover');
  const { items } = await command('vscode.executeCompletionItemProvider', document.uri, at);
  assert.ok(items.some((each) => (each.label.label ?? each.label) === 'share'));
  step('completion');
  const [place] = await command('vscode.executeDefinitionProvider', document.uri, at);
  assert.equal((place.targetRange ?? place.range).start.line, 3);
  step('definition');
  const symbols = await command('vscode.executeDocumentSymbolProvider', document.uri);
  const names = symbols.map((each) => each.name).filter((each) => /share|answer/.test(each));
  assert.deepEqual(names, ['share', 'answer']);
  step('outline');
}

async function compiles(document) {
  const result = await command('descartes.lisp.compileFile', { uri: document.uri.toString() });
  assert.equal(result.success, true);
  const note = await when(
    'the note as a diagnostic',
    () => vscode.languages.getDiagnostics(document.uri).find((each) => /UNUSED/.test(each.message)),
    vscode.languages.onDidChangeDiagnostics,
  );
  assert.equal(note.range.start.line, 13);
  step('diagnostic of a note');
}

async function stops(document, client) {
  const began = await command('descartes.lisp.eval', { code: '(ratio:answer 1)' });
  assert.equal(began.state, 'stopped');
  const uri = document.uri;
  const lens = await when(
    'the lens of the restart',
    async () => {
      const lenses = await command('vscode.executeCodeLensProvider', uri, 50);
      return lenses.find((each) => each.command?.title.startsWith('USE-VALUE'));
    },
    vscode.languages.onDidChangeDiagnostics,
    hears(client, 'descartes/debugger/changed'),
  );
  assert.equal(lens.command.command, 'descartes.debugger.restart');
  step('lens of a restart');
  const actions = await command('vscode.executeCodeActionProvider', uri, lens.range);
  assert.ok(actions.some((each) => /^ABORT/.test(each.title)));
  step('code actions');
  const [params] = lens.command.arguments;
  const left = await command(lens.command.command, { ...params, arguments: ['(* 6 7)'] });
  assert.deepEqual(left.evaluation.values, ['42']);
  await when(
    'the stop as a diagnostic to go',
    () => vscode.languages.getDiagnostics(uri).every((each) => !/Stopped/.test(each.message)),
    vscode.languages.onDidChangeDiagnostics,
  );
  step('the restart invoked with an argument');
}

/** Return a function that waits for a notification METHOD, sent from now on, that IS the one that is wanted. */
function told(client, method) {
  const all = [];
  let look = () => undefined;
  client.onNotification(method, (params) => {
    all.push(params);
    look();
  });
  return (is) =>
    new Promise((resolve) => {
      look = () => all.some(is) && resolve();
      look();
    });
}

async function hearsAll(client) {
  const [ended, printed] = ['descartes/lisp/evaluated', 'descartes/lisp/output'].map((each) => told(client, each));
  const result = await command('descartes.lisp.eval', { code: '(progn (print :hello) (finish-output) 7)' });
  assert.deepEqual(result.values, ['7']);
  // What was evaluated before may be told of first.
  await ended(({ id }) => id === result.id);
  await printed(({ text }) => /HELLO/.test(text));
  step('notifications');
}

async function holds(document) {
  const uri = document.uri.toString();
  assert.equal((await command('descartes.lease.acquire', { uri, reason: 'trying' })).reason, 'trying');
  const { leases } = await command('descartes.lease.list');
  assert.deepEqual(leases.map((each) => path.basename(each.path)), ['ratio.lisp']);
  // A line of a view that is drawn anew while it is clicked stands for nothing, and for no other file.
  await command('descartes.ui.releaseLease', undefined);
  await command('descartes.ui.abort', undefined);
  assert.equal((await command('descartes.lease.list')).leases.length, 1);
  await command('descartes.ui.releaseLease', { uri });
  assert.deepEqual((await command('descartes.lease.list')).leases, []);
  step('leases');
}

/** Run the command NAME at the first TEXT of DOCUMENT; return the text that it shows. */
async function shown(document, text, name) {
  const editor = await vscode.window.showTextDocument(document);
  const at = document.positionAt(document.getText().indexOf(text) + 1);
  editor.selection = new vscode.Selection(at, at);
  await command(`descartes.ui.${name}`);
  return vscode.window.activeTextEditor.document.getText();
}

async function explores(document) {
  assert.match(await shown(document, 'share 84', 'describe'), /RATIO:SHARE[^]*Return PART divided/);
  assert.match(await shown(document, 'share 84', 'disassemble'), /disassembly for (RATIO:)?SHARE/i);
  const expansion = await shown(document, '(restart-case', 'macroexpand');
  assert.match(expansion, /with-simple-restart|restart-bind|block/i);
  await command('descartes.ui.macroexpandAll');
  const expanded = () => vscode.window.activeTextEditor.document.getText() !== expansion;
  await when('the expansion to be expanded', expanded, vscode.workspace.onDidChangeTextDocument);
  step('describe, disassemble, macroexpand');
}

async function inspectsFromHover(document) {
  const at = document.positionAt(document.getText().indexOf('share 84') + 2);
  const hovers = await command('vscode.executeHoverProvider', document.uri, at);
  const texts = hovers.flatMap((each) => each.contents.map(({ value }) => value));
  const [, name, words] = /\(command:([^?]+)\?([^)]+)\)/.exec(texts.join('\n'));
  assert.equal(name, 'descartes.ui.inspectValue');
  await command(name, ...JSON.parse(decodeURIComponent(words)));
  const { inspections } = await command('descartes.inspector.list');
  assert.match(inspections[0].title, /FUNCTION.*SHARE/);
  step('what is hovered is inspected');
}

async function drifts(document) {
  const edit = new vscode.WorkspaceEdit();
  const at = document.positionAt(document.getText().indexOf('84'));
  edit.replace(document.uri, new vscode.Range(at, at.translate(0, 2)), '126');
  await vscode.workspace.applyEdit(edit);
  const marks = () => vscode.languages.getDiagnostics(document.uri).filter(({ code }) => code === 'drift');
  await when('the definition to be marked', () => marks().length === 1, vscode.languages.onDidChangeDiagnostics);
  await vscode.window.showTextDocument(document);
  await command('descartes.ui.loadChanged');
  await when('the mark to go', () => marks().length === 0, vscode.languages.onDidChangeDiagnostics);
  step('a changed definition is marked until it is loaded');
}

exports.run = async () => {
  const [folder] = vscode.workspace.workspaceFolders;
  const document = await vscode.workspace.openTextDocument(vscode.Uri.joinPath(folder.uri, 'ratio.lisp'));
  await vscode.window.showTextDocument(document);
  const extension = vscode.extensions.getExtension('descartes.descartes');
  const { client } = await extension.activate();
  const own = extension.packageJSON.contributes.commands.map((each) => each.command);
  const all = new Set(await vscode.commands.getCommands(true));
  assert.deepEqual(own.filter((each) => !all.has(each)), []);
  step('every command of the manifest exists');
  await looks(document);
  await compiles(document);
  await stops(document, client);
  await hearsAll(client);
  await explores(document);
  await inspectsFromHover(document);
  await drifts(document);
  await holds(document);
};
