// What a person does with the live image in VS Code's own places: terminals, views, explorers.
import { choose, drive, openFile, status, viewIcon } from './page.mjs';
import { repl } from './repl.mjs';
import { leaving, stepping, threads as twoThreads } from './stepping.mjs';
import { stops } from './stops.mjs';
import { tests } from './tests.mjs';
import { breakpoints, inspect, notes, profile, threads, trace } from './tools.mjs';

const STEPS = { stops, stepping, leaving, twoThreads, breakpoints, inspect, trace, threads, repl, profile, notes, tests };

// While one of them is being written: STEPS=repl,tests
const wanted = process.env.STEPS?.split(',') ?? Object.keys(STEPS);

await drive('', async (window) => {
  await window.open();
  await openFile(window.page, 'ratio.lisp');
  await choose(window.page, 'Descartes: Compile and Load File');
  await status(window.page, '⇒ compiled').waitFor();
  await viewIcon(window.page).click();
  for (const name of wanted) {
    await STEPS[name](window);
  }
});
