import { writeFile } from 'node:fs/promises';
import * as vscode from 'vscode';
import type { SecretRequest } from './protocol';

/** Ask for a secret without showing it, and write it to the server's pipe: no message has it, and no log. */
export async function askForSecret({ prompt, pipe }: SecretRequest): Promise<{ given: boolean }> {
  const text = await vscode.window.showInputBox({ prompt, password: true, ignoreFocusOut: true });
  if (!text) {
    return { given: false };
  }
  await writeFile(pipe, text);
  return { given: true };
}
