--- The tests there are, with what became of each when it last ran; run from there, one or a system's.
local M = {}

local call = require('descartes.call')
local views = require('descartes.views')

local HELP = '<CR> go there  r run  d debug  R run the system  g read again  q close'
local SIGNS = {
  passed = { '✓', 'DiagnosticOk' },
  failed = { '✗', 'DiagnosticError' },
  error = { '✗', 'DiagnosticError' },
  skipped = { '-', 'Comment' },
  unknown = { '?', 'DiagnosticWarn' },
}
local NEW = { '·', 'Comment' }
local shown ---@type {system: string?, tests: table[], results: table<string, table>}?

local function text(value)
  return type(value) == 'string' and value or nil
end

local function put_test(lines, test, result)
  local sign = result and SIGNS[result.status] or NEW
  local suite = text(test.suite) and ('  ' .. test.suite:lower()) or ''
  local took = result and ('  %d ms'):format(result.durationMs) or '  not run yet'
  lines[#lines + 1] = { { '  ' .. sign[1] .. ' ', sign[2] }, { test.name }, { suite .. took, 'Comment' }, entry = test }
  local message = result and result.status ~= 'passed' and text(result.message)
  for _, line in ipairs(message and vim.split(vim.trim(message), '\n', { plain = true }) or {}) do
    lines[#lines + 1] = { { '      ' .. line, 'Comment' }, entry = test }
  end
end

--- Return the tests of the list by their systems: pairs of a name and its tests, in the order of the list.
local function by_system()
  local groups, known = {}, {}
  for _, test in ipairs(shown.tests) do
    local name = text(test.system) or vim.fn.fnamemodify(vim.uri_to_fname(test.uri), ':.')
    if not known[name] then
      known[name] = { name = name, tests = {} }
      groups[#groups + 1] = known[name]
    end
    table.insert(known[name].tests, test)
  end
  return groups
end

local function render()
  local lines = {}
  for _, group in ipairs(by_system()) do
    lines[#lines + 1] = { { group.name, 'Title' }, { ('  %d'):format(#group.tests), 'Comment' }, entry = group.tests[1] }
    for _, test in ipairs(group.tests) do
      put_test(lines, test, shown.results[test.name])
    end
  end
  if #lines == 0 then
    lines[1] = { { 'No test is defined here', 'Comment' } }
  end
  local view = views.view('test-list', M.KEYS)
  view:set(lines)
  return view
end

local function take(results)
  for _, result in ipairs(results) do
    shown.results[result.name] = result
  end
end

--- Show the tests of SYSTEM, by default all of the workspace.
function M.show(system)
  system = system ~= '' and system or nil
  call('lisp.tests', { system = system }, function(found)
    call('lisp.testResults', { system = system }, function(before)
      shown = { system = system, tests = found.tests, results = {} }
      take(before.results)
      render():show(HELP)
    end)
  end)
end

--- Say what came of RUN and mark its tests.
local function ended(run)
  M.tested(run)
  require('descartes.tests').say(run)
end

local function run_one(debug)
  return function(view)
    local test = view:entry()
    if test then
      call('lisp.runTest', { uri = test.uri, name = test.name, debug = debug or nil }, ended)
    end
  end
end

M.KEYS = {
  ['<CR>'] = function(view)
    local test = view:entry()
    if test then
      views.go_to(test)
    end
  end,
  r = run_one(false),
  d = run_one(true),
  R = function(view)
    local test = view:entry()
    if test and text(test.system) then
      call('lisp.testSystem', { system = test.system }, ended)
    end
  end,
  g = function()
    M.show(shown.system or '')
  end,
}

--- Mark the tests of RUN, anybody's, in the list where it is shown.
function M.tested(run)
  if shown then
    take(run.results)
    render()
  end
end

return M
