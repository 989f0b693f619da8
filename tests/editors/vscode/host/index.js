// Runs inside the extension host with the whole interface of VS Code; `run` is called by it.
const assert = require('node:assert');
const path = require('node:path');
const vscode = require('vscode');

const DEADLINE = 20_000;
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

async function hearsAll(client) {
  const ended = new Promise((resolve) => client.onNotification('descartes/lisp/evaluated', resolve));
  const printed = new Promise((resolve) => client.onNotification('descartes/lisp/output', resolve));
  const result = await command('descartes.lisp.eval', { code: '(progn (print :hello) (finish-output) 7)' });
  assert.deepEqual(result.values, ['7']);
  assert.equal((await ended).id, result.id);
  assert.match((await printed).text, /HELLO/);
  step('notifications');
}

async function holds(document) {
  const uri = document.uri.toString();
  assert.equal((await command('descartes.lease.acquire', { uri, reason: 'trying' })).reason, 'trying');
  const { leases } = await command('descartes.lease.list');
  assert.deepEqual(leases.map((each) => path.basename(each.path)), ['ratio.lisp']);
  await command('descartes.lease.release', { uri });
  step('leases');
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
  await holds(document);
};
