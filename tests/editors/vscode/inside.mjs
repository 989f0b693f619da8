// Runs host/index.js inside the extension host; its exit code and what it prints come back through the page.
import { drive, say } from './page.mjs';

const [, , port] = process.argv;
const remote = (file) => `vscode-remote://127.0.0.1:${port}${file}`;
const payload = JSON.stringify([
  ['extensionDevelopmentPath', remote(process.env.DESCARTES_TEST_EXTENSION)],
  ['extensionTestsPath', remote(new URL('./host/index.js', import.meta.url).pathname)],
]);

await drive(`&payload=${encodeURIComponent(payload)}`, async ({ page, open }) => {
  const ended = new Promise((resolve, reject) => {
    void page.exposeFunction('codeAutomationExit', resolve);
    setTimeout(() => reject(new Error('the tests in the extension host did not end')), 450_000).unref();
  });
  const said = [];
  await page.exposeFunction('codeAutomationLog', (type, words) => {
    const line = words.join(' ');
    said.push(line);
    if (line.includes('step: ')) {
      say(line);
    }
  });
  await open();
  const code = await ended;
  if (code !== 0) {
    throw new Error(`exit code ${code}:\n${said.slice(-30).join('\n')}`);
  }
});
