// What a person does with the live image in VS Code's own places: terminals, views, explorers.
import { drive, openFile } from './page.mjs';
import { repl } from './repl.mjs';
import { stops } from './stops.mjs';

await drive('', async (window) => {
  await window.open();
  await openFile(window.page, 'ratio.lisp');
  await stops(window);
  await repl(window);
});
