--- The results of tests: a window with those that failed first, run again, debugged, and left for their places.
local M = {}

local views = require('descartes.views')

local HELP = '<CR> go there  r run failed again  R run all again  d debug  q close'
local GROUPS = { passed = 'DiagnosticOk', skipped = 'Comment', unknown = 'DiagnosticWarn' }
local shown ---@type table? the run that is shown

local function counts(of)
  local parts = {}
  for _, status in ipairs({ 'passed', 'failed', 'error', 'skipped', 'unknown' }) do
    local count = of[status] or 0
    if count > 0 or status == 'passed' then
      parts[#parts + 1] = ('%d %s'):format(count, status)
    end
  end
  return table.concat(parts, ' · ')
end

local function state(run)
  if run.state == 'stopped' then
    return 'stopped: ' .. (type(run.condition) == 'table' and run.condition.message or '')
  elseif run.state ~= 'done' then
    return run.state
  end
  return type(run.message) == 'string' and run.message or counts(run.counts)
end

local function put(lines, result)
  lines[#lines + 1] = {
    { ('%-8s '):format(result.status), GROUPS[result.status] or 'DiagnosticError' },
    { result.name },
    { ('  %s ms'):format(result.durationMs), 'Comment' },
    entry = result,
  }
  if type(result.message) == 'string' then
    for _, text in ipairs(vim.split(vim.trim(result.message), '\n', { plain = true })) do
      lines[#lines + 1] = { { '         ' .. text }, entry = result }
    end
  end
end

local again

local KEYS = {
  ['<CR>'] = function(view)
    local result = view:entry()
    if result then
      views.go_to(result.location)
    end
  end,
  R = function()
    again({})
  end,
  r = function()
    local names = {}
    for _, result in ipairs(shown.results) do
      if result.status ~= 'passed' and result.status ~= 'skipped' then
        names[#names + 1] = result.name
      end
    end
    if #names == 0 then
      return vim.notify('Descartes: all passed')
    end
    again({ only = names })
  end,
  d = function(view)
    local result = view:entry()
    if result then
      again({ only = { result.name }, debug = true })
    end
  end,
}

local function render(run)
  shown = run
  local framework = type(run.framework) == 'string' and ('  ' .. run.framework) or ''
  local system = type(run.system) == 'string' and run.system or 'Tests'
  local lines = { { { system, 'Title' }, { framework, 'Comment' } }, { { state(run) } }, { { '' } } }
  for _, passed in ipairs({ false, true }) do
    for _, result in ipairs(run.results) do
      if (result.status == 'passed') == passed then
        put(lines, result)
      end
    end
  end
  local view = views.view('tests', KEYS)
  view:set(lines)
  return view
end

--- Say in a line what came of RUN.
function M.say(run)
  vim.notify('Tests: ' .. state(run))
end

local function show(run)
  render(run):show(HELP)
  M.say(run)
end

--- Run the tests of SYSTEM; MORE are further parameters of `lisp.testSystem`.
function M.run(system, more)
  require('descartes').call('lisp.testSystem', vim.tbl_extend('force', { system = system }, more or {}), show)
end

--- Run the test at the place AT, of a file.
function M.run_here(at)
  require('descartes').call('lisp.runTest', at, show)
end

again = function(more)
  M.run(shown.system, more)
end

--- Take in results that are new, of the run that is shown.
function M.tested(run)
  if not (shown and shown.evaluation == run.evaluation) then
    return
  end
  local fresh, merged = {}, {}
  for _, result in ipairs(run.results) do
    fresh[result.name] = true
  end
  for _, result in ipairs(shown.results) do
    if not fresh[result.name] then
      merged[#merged + 1] = result
    end
  end
  render(vim.tbl_extend('force', run, { results = vim.list_extend(merged, run.results) }))
end

return M
