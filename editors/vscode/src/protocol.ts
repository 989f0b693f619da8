// The shapes and methods of editors/PROTOCOL.md that this extension uses.
import { NotificationType, RequestType } from 'vscode-languageclient/node';
import type { Range } from 'vscode-languageclient/node';

export interface LispStatus {
  state: 'stopped' | 'starting' | 'ready' | 'lost';
  implementation?: string | null;
  version?: string | null;
  pid?: number | null;
  reason?: string | null;
}
export interface Location {
  uri: string;
  range: Range;
}
export interface StopKey {
  thread: number;
  level: number;
}
export interface Condition {
  type: string;
  message: string;
}
export interface Evaluation {
  id: string;
  state: 'running' | 'done' | 'stopped' | 'aborted' | 'lost';
  values: string[];
  output: string;
  package?: string | null;
  condition?: Condition | null;
  number?: number | null;
  debugger?: StopKey | null;
  outputFile?: string | null;
}
export interface Compilation {
  success: boolean;
  durationMs: number;
  notes: unknown[];
  state: string;
  message?: string | null;
  evaluation?: string | null;
}
export interface RestartArgument {
  name: string;
  kind: string;
}
export interface Restart {
  index: number;
  name: string;
  description: string;
  arguments: RestartArgument[];
}
export interface Frame {
  index: number;
  description: string;
  restartable: boolean;
  location?: Location | null;
}
export interface Debugger extends StopKey {
  condition: Condition;
  restarts: Restart[];
  frames: Frame[];
  frameCount: number;
  evaluation?: string | null;
  origin: { kind: string; name?: string | null };
  location?: Location | null;
}
export interface Local {
  name: string;
  value: string;
  id: number;
  earlier: string[];
}
export interface FrameDetail {
  locals: Local[];
  catchTags: string[];
  location?: Location | null;
}
export interface Part {
  text: string;
  part?: number | null;
  key?: number | null;
  action?: number | null;
  actionText?: string | null;
  settable: boolean;
}
export interface Inspection {
  id: string;
  title: string;
  type: string;
  parts: Part[];
  more: boolean;
  start: number;
  count?: number | null;
  back: boolean;
  forward: boolean;
}
export interface Call {
  id: number;
  form: string;
  name: string;
  arguments: string[];
  values: string[];
  exit: 'normal' | 'nonlocal' | 'running';
  durationMs: number;
  calls: Call[];
}
export interface TraceTree {
  calls: Call[];
  traced: string[];
  more: number;
}
export interface Thread {
  id: number;
  name: string;
  state: 'running' | 'stopped';
  evaluation?: string | null;
  service: boolean;
}
export interface Note {
  title: string;
  tags: string[];
  updatedAt: string;
  agentId?: string | null;
  kind: 'research' | 'plans';
  path: string;
  uri: string;
  excerpt?: string | null;
  problem?: string | null;
}
export interface Annotation {
  text: string;
  marker: 'important' | 'question' | 'verification' | 'correction' | 'insight';
  by: Holder;
  event: string;
}
export interface BoardEntry {
  id: string;
  type: 'task_description' | 'code_snippet' | 'design_decision' | 'error_report' | 'solution';
  content: string;
  by: Holder;
  at: string;
  annotations: Annotation[];
}
export interface Board {
  session: string;
  entries: BoardEntry[];
}
export interface Wisdom {
  id: string;
  insight: string;
  category: string;
  tags: string[];
  confidence: number;
  outcomes: number;
  by: Holder;
}
export interface Expansion {
  text: string;
  expanded: boolean;
  range?: Range | null;
}
export interface FoundSymbol {
  name: string;
  kind: string;
  arglist?: string | null;
}
export interface Removed {
  name: string;
  kind?: string | null;
  package?: string | null;
}
export interface DriftForm extends Location {
  name: string;
  state: string;
}
export interface Reference extends Partial<Location> {
  name: string;
}
export interface Profile {
  samples: number;
  flat: { name: string; self: number; total: number }[];
  speedscope: string;
  svg: string;
  report: string;
}
export interface Breakpoint {
  id: string;
  verified: boolean;
  message?: string | null;
  symbol?: string | null;
  uri?: string | null;
  range?: Range | null;
  location?: Location | null;
  condition?: string | null;
  hits: number;
}
export interface Journal {
  entries: {
    seq: number;
    kind: string;
    code?: string | null;
    uri?: string | null;
    package?: string | null;
    by: { name: string };
    at: string;
    outcome: string;
  }[];
}
export interface Replay {
  repeated: number;
  skipped: { seq: number; reason: string }[];
}
export interface Comparison {
  definitions: { name: string; kind: string; here?: string | null; there?: string | null }[];
}
export interface System {
  name: string;
  uri?: string | null;
  loaded: boolean;
  tests: boolean;
}
export interface Leaving {
  debugger?: Debugger | null;
  evaluation?: Evaluation | null;
  compilation?: Compilation;
}
export interface Holder {
  kind: string;
  id: string;
  name: string;
}
export interface Lease {
  path: string;
  uri: string;
  holder: Holder;
  mode: string;
  reason?: string | null;
  expiresAt: string;
}
export interface Run {
  id: string;
  agent: string;
  task: string;
  status: string;
  phase?: string | null;
  reason?: string | null;
  startedAt: string;
}
export interface Choice {
  id: string;
  title: string;
  arguments: string[];
}
export interface FileEdit {
  path: string;
  count: number;
  diff: string;
  refused?: string | null;
}
export interface EditPreview {
  id: string;
  what: string;
  count: number;
  files: FileEdit[];
}
export interface FileChange {
  path: string;
  change: string;
  userEdited?: boolean;
  leasedBy?: Holder | null;
  unsaved?: string | null;
}
export interface Intervention {
  id: string;
  kind: string;
  title: string;
  detail: string;
  choices: Choice[];
  run?: string | null;
  data?: { toolArgs?: unknown; files?: FileChange[]; bodies?: { body: string; title: string; detail: string }[] };
}
export interface Test extends Location {
  name: string;
  framework: string;
  system?: string | null;
  suite?: string | null;
}
export interface TestResult {
  name: string;
  status: 'passed' | 'failed' | 'error' | 'skipped' | 'unknown';
  message?: string | null;
  location?: Location | null;
  durationMs: number;
  output?: string | null;
  system?: string | null;
}
export interface TestRun {
  success: boolean;
  system?: string | null;
  framework?: string | null;
  results: TestResult[];
  counts: Record<TestResult['status'], number>;
  output: string;
  state: string;
  evaluation?: string | null;
  durationMs: number;
  message?: string | null;
}
export interface InputRequest {
  prompt: string;
  kind: 'line' | 'yesOrNo';
  evaluation?: string | null;
}
export interface Printed {
  text: string;
  evaluation?: string | null;
}
export interface Completions {
  items: { label: string; kind?: string; detail?: string | null }[];
  start: number;
}
export interface HistoryEvent {
  seq: number;
  at: string;
  name: string;
  actor: Holder;
}

export const lispStatus = new NotificationType<LispStatus>('descartes/lisp/status');
export const lispOutput = new NotificationType<Printed>('descartes/lisp/output');
export const lispEvaluated = new NotificationType<Evaluation>('descartes/lisp/evaluated');
export const lispTested = new NotificationType<TestRun>('descartes/lisp/tested');
export const lispInputEnded = new NotificationType<{ tag: number }>('descartes/lisp/inputEnded');
export const debuggerChanged = new NotificationType<{ debuggers: Debugger[] }>('descartes/debugger/changed');
export const leaseChanged = new NotificationType<{ lease: Lease; change: string }>('descartes/lease/changed');
export const runChanged = new NotificationType<Run>('descartes/run/changed');
export const runOutput = new NotificationType<{ run: string; text: string }>('descartes/run/output');
export const interventionChanged = new NotificationType<{ interventions: Intervention[] }>(
  'descartes/intervention/changed',
);
export const historyEvent = new NotificationType<HistoryEvent>('descartes/event');
/** A secret, which travels by `pipe` and in no message. */
export interface SecretRequest {
  prompt: string;
  pipe: string;
}
export const secretInput = new RequestType<SecretRequest, { given: boolean }, void>('descartes/secret/input');
export const lispInput = new RequestType<InputRequest, { text: string }, void>('descartes/lisp/input');
