--- The server's own methods (editors/PROTOCOL.md) and what shows each: the module and its function.
return {
  ['descartes/lisp/status'] = { module = 'image', name = 'status' },
  ['descartes/lisp/output'] = { module = 'image', name = 'output' },
  ['descartes/lisp/evaluated'] = { module = 'image', name = 'evaluated' },
  ['descartes/lisp/inputEnded'] = { module = 'image', name = 'input_ended' },
  ['descartes/lisp/tested'] = { module = 'image', name = 'tested' },
  ['descartes/lisp/input'] = { module = 'image', name = 'input' },
  ['descartes/secret/input'] = { module = 'secrets', name = 'input' },
  ['descartes/debugger/changed'] = { module = 'debugger', name = 'changed' },
  ['descartes/lease/changed'] = { module = 'runs', name = 'lease_changed' },
  ['descartes/run/changed'] = { module = 'runs', name = 'run_changed' },
  ['descartes/run/output'] = { module = 'runs', name = 'run_output' },
  ['descartes/intervention/changed'] = { module = 'interventions', name = 'changed' },
  ['descartes/event'] = { module = 'runs', name = 'event' },
}
