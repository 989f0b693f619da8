// What a person does more seldom: systems, the journal, other images, looking around, and taking definitions away.
import { choose, drive, openFile, status, viewIcon } from './page.mjs';
import { around, expand, removal } from './exploring.mjs';
import { compare, connect, journal, replay, systems } from './images.mjs';
import { board, wisdom } from './memory.mjs';
import { endThread, profiling, recompiling, signals } from './stepping.mjs';

const STEPS = {
  signals, recompiling, profiling, endThread, around, expand, removal, systems, board, wisdom, journal, compare, replay, connect,
};

// While one of them is being written: STEPS=systems,journal
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
