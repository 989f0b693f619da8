// A run in VS Code that goes through its steps, one after the other, with a file that is compiled and loaded.
import { choose, drive, openFile, status, viewIcon } from './page.mjs';

/**
 * Do STEPS, functions of the window by name, in their order.
 *
 * While one of them is being written, `STEPS=repl,tests` does those alone.
 */
export async function walk(steps) {
  const wanted = process.env.STEPS?.split(',') ?? Object.keys(steps);
  await drive('', async (window) => {
    await window.open();
    await openFile(window.page, 'ratio.lisp');
    await choose(window.page, 'Descartes: Compile and Load File');
    await status(window.page, '⇒ compiled').waitFor();
    await viewIcon(window.page).click();
    for (const name of wanted.filter((each) => each in steps)) {
      await steps[name](window);
    }
  });
}
