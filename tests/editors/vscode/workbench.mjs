// What a person does with the live image in VS Code's own places: terminals, views, explorers.
import { formatting } from './formatting.mjs';
import { repl } from './repl.mjs';
import { walk } from './steps.mjs';
import { leaving, stepping, threads as twoThreads } from './stepping.mjs';
import { stops } from './stops.mjs';
import { tests } from './tests.mjs';
import { breakpoints, inspect, notes, profile, threads, trace } from './tools.mjs';

await walk({ stops, stepping, leaving, twoThreads, breakpoints, inspect, trace, threads, repl, profile, notes, tests, formatting });
