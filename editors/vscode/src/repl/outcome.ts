// How the outcome of an evaluation is told in a terminal, and how its results are found there again.
import type { Evaluation } from '../protocol';

/** A reference to a result, `#v3`, or to a further value of it, `#v3:1`. */
export const REFERENCE = /#v(\d+)(?::(\d+))?/g;

const dim = (text: string): string => `\x1b[2m${text}\x1b[0m`;
const red = (text: string): string => `\x1b[31m${text}\x1b[0m`;

/** Return the lines that tell how EVALUATION ended or where it stopped. */
export function outcome(evaluation: Evaluation): string {
  const { state, values, condition, outputFile } = evaluation;
  const file = outputFile ? `${dim(`; all of the output: ${outputFile}`)}\n` : '';
  const reason = condition ? `: ${condition.type}: ${condition.message}` : '';
  switch (state) {
    case 'done':
      return `${file}${values.length === 0 ? dim('; no values') + '\n' : values.map(line(evaluation)).join('')}`;
    case 'stopped':
      return `${file}${red(`; stopped${reason}`)}\n${dim('; its restarts stand in the view Stopped Threads')}\n`;
    default:
      return `${file}${red(`; ${state}${reason}`)}\n`;
  }
}

/** Return the line that tells ERROR. */
export function failure(error: unknown): string {
  return `${red(`; ${error instanceof Error ? error.message : String(error)}`)}\n`;
}

function line({ number }: Evaluation): (value: string, index: number) => string {
  return (value, index) => {
    const name = number == null ? '⇒' : `#v${number}${index > 0 ? `:${index}` : ''}`;
    return `${dim(name)} \x1b[36m${value}\x1b[0m\n`;
  };
}
