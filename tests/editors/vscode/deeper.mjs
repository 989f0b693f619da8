// What a person does more seldom: systems, the journal, other images, looking around, and taking definitions away.
import { around, expand, removal } from './exploring.mjs';
import { compare, connect, journal, replay, systems } from './images.mjs';
import { board, wisdom } from './memory.mjs';
import { walk } from './steps.mjs';
import { endThread, profiling, recompiling, signals } from './stepping.mjs';

await walk({
  signals, recompiling, profiling, endThread, around, expand, removal, systems, board, wisdom, journal, compare, replay, connect,
});
