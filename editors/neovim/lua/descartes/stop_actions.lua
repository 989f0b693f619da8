--- What can be done with a stop, a restart or a frame; every one of these is the person's explicit choice.
local M = {}

local asking = require('descartes.asking')
local call = require('descartes.call')
local details = require('descartes.frame_details')
local panel = require('descartes.debugger')

local MORE_FRAMES = 50

local function show_value(result)
  if result and type(result.evaluation) == 'table' then
    require('descartes.image').show(result.evaluation)
  end
end

--- Do OPERATION, which sends the thread of STOP on; the panel stays until that has ended or stopped again.
local function send_on(operation, stop, params)
  panel.hold(stop)
  call('debugger.' .. operation, params, function(result)
    local evaluation = type(result.evaluation) == 'table' and result.evaluation or {}
    if evaluation.state ~= 'running' and type(result.debugger) ~= 'table' then
      panel.settle()
    end
    show_value(result)
  end, function(problem)
    panel.settle()
    vim.notify('Descartes: ' .. problem.message, vim.log.levels.WARN)
  end)
end

local function of(about, more)
  local stop = { thread = about.debugger.thread, level = about.debugger.level }
  return vim.tbl_extend('force', stop, more or {})
end

--- Invoke RESTART of DEBUGGER, after asking for its arguments.
function M.invoke(debugger, restart)
  local fields = asking.of_restart(restart)
  local function ask(locals)
    asking.texts(asking.proposing(fields, locals), function(texts)
      local params = of({ debugger = debugger }, { index = restart.index, name = restart.name })
      params.arguments = #texts > 0 and texts or nil
      send_on('restart', debugger, params)
    end)
  end
  if #fields == 0 then
    return ask({})
  end
  call('debugger.frame', of({ debugger = debugger }, { frame = 0 }), function(detail)
    ask(detail.locals)
  end)
end

--- Invoke what PARAMS of `debugger.restart` name; the arguments that it needs and PARAMS lack are asked for.
function M.invoke_with(params)
  for _, debugger in ipairs(panel.debuggers) do
    if debugger.thread == params.thread and debugger.level == params.level and not params.arguments then
      for _, restart in ipairs(debugger.restarts) do
        if restart.index == params.index then
          return M.invoke(debugger, restart)
        end
      end
    end
  end
  call('debugger.restart', params, show_value)
end

local function look_into(about, failed)
  call('debugger.frame', of(about, { frame = about.frame.index }), function(detail)
    panel.set_detail(about.debugger, about.frame, detail)
  end, failed)
end

--- Show the variables of the frame of ABOUT as they are now; of a stop that is left meanwhile nothing is shown.
function M.look_again(about)
  look_into(about, function() end)
end

local function toggle_locals(about)
  if details.get(about.debugger, about.frame) then
    panel.set_detail(about.debugger, about.frame, nil)
  else
    look_into(about)
  end
end

local function more_frames(about)
  local from = #about.debugger.frames
  local range = { start = from, ['end'] = math.min(from + MORE_FRAMES, about.debugger.frameCount) }
  call('debugger.frames', of(about, range), function(result)
    if #about.debugger.frames == from then
      vim.list_extend(about.debugger.frames, result.frames)
      panel.render()
    end
  end)
end

local function inspect(about, more)
  require('descartes.inspector').open(of(about, more))
end

local function inspect_in(about, more)
  inspect(about, vim.tbl_extend('force', { frame = about.frame.index }, more))
end

local function act()
  local about = panel.entry() or {}
  if about.restart then
    M.invoke(about.debugger, about.restart)
  elseif about.variable then
    inspect_in(about, { ['local'] = about.variable.id })
  elseif about.frame then
    toggle_locals(about)
  elseif about.more then
    more_frames(about)
  elseif about.condition then
    inspect(about)
  end
end

--- Return a function that does DO_IT with the stop under the cursor.
local function with_stop(do_it)
  return function()
    local about = panel.entry()
    if about then
      do_it(about)
    else
      vim.notify(#panel.debuggers == 0 and 'Descartes: no thread is stopped' or 'Descartes: put the cursor on a stop')
    end
  end
end

local function leave(operation)
  return with_stop(function(about)
    send_on(operation, about.debugger, of(about))
  end)
end

local function step(kind)
  return with_stop(function(about)
    send_on('step', about.debugger, of(about, { kind = kind }))
  end)
end

--- Return a function that does DO with the frame under the cursor, after asking for a form with PROMPT if there is one.
local function with_frame(prompt, do_it)
  return function()
    local about = panel.entry()
    if not (about and about.frame) then
      return vim.notify('Descartes: put the cursor on a frame')
    end
    asking.texts(prompt and { { name = prompt } } or {}, function(texts)
      do_it(about, of(about, { frame = about.frame.index, code = texts[1] }))
    end)
  end
end

local eval_in_frame = with_frame('evaluate in frame', function(about, params)
  call('debugger.evalInFrame', params, function(evaluation)
    require('descartes.image').show(evaluation)
    if evaluation.state == 'done' and details.get(about.debugger, about.frame) then
      look_into(about)
    end
  end)
end)

local console = with_frame(nil, function(about)
  require('descartes.console').open(about.debugger, about.frame)
end)

local return_from_frame = with_frame('return from frame', function(about, params)
  send_on('returnFromFrame', about.debugger, params)
end)

local restart_frame = with_frame(nil, function(about, params)
  send_on('restartFrame', about.debugger, params)
end)

local inspect_in_frame = with_frame('inspect in frame', function(about, params)
  inspect_in(about, { expression = params.code })
end)

--- Return the forms that TEXT has one after the other.
local function forms(text)
  local found, start, depth, quoted = {}, nil, 0, false
  for at = 1, #text + 1 do
    local char = at <= #text and text:sub(at, at) or ' '
    if quoted then
      quoted = char ~= '"' or text:sub(at - 1, at - 1) == '\\'
    elseif char == '"' then
      quoted, start = true, start or at
    elseif char:match('%s') and depth == 0 then
      if start then
        found[#found + 1] = text:sub(start, at - 1)
      end
      start = nil
    else
      start = start or at
      depth = depth + (char == '(' and 1 or char == ')' and -1 or 0)
    end
  end
  return found
end

--- Call the frame's function again with arguments that are edited first.
local call_again = with_frame(nil, function(about, params)
  local name, before = about.frame.description:match('^%((%S+)%s*(.*)%)$')
  vim.ui.input({ prompt = ('Arguments of %s: '):format(name or 'the call'), default = before }, function(text)
    if text then
      send_on('restartFrame', about.debugger, vim.tbl_extend('force', params, { arguments = forms(text) }))
    end
  end)
end)

local recompile = with_frame(nil, function(_, params)
  call('debugger.recompile', params, function(compilation)
    vim.notify('Descartes: ' .. (compilation.success and 'compiled with full debug' or 'it did not compile'))
  end)
end)

local show_source = with_stop(function(about)
  local frame, go_to = about.frame, require('descartes.views').go_to
  if frame and type(frame.location) ~= 'table' then
    return call('debugger.frame', of(about, { frame = frame.index }), function(detail)
      go_to(detail.location)
    end)
  end
  go_to(frame and frame.location or about.debugger.location)
end)

local function restart_numbered(number)
  return with_stop(function(about)
    for _, restart in ipairs(about.debugger.restarts) do
      if restart.index == number then
        return M.invoke(about.debugger, restart)
      end
    end
    vim.notify(('Descartes: there is no restart %d'):format(number))
  end)
end

--- Show the manual; a plugin manager makes the tags that `:help` needs.
local function show_help()
  if not pcall(vim.cmd.help, 'descartes-debugger') then
    vim.cmd('botright sview +/\\*descartes-debugger\\* ' .. vim.api.nvim_get_runtime_file('doc/descartes.txt', false)[1])
  end
end

--- Return the keys of the debugger's window and what each does.
---@return table<string, fun()>
function M.keys()
  local found = {
    ['<CR>'] = act,
    a = leave('abort'),
    c = leave('continue'),
    q = leave('toplevel'),
    C = with_stop(inspect),
    e = eval_in_frame,
    E = console,
    R = return_from_frame,
    r = restart_frame,
    A = call_again,
    i = inspect_in_frame,
    D = recompile,
    s = step('into'),
    x = step('next'),
    o = step('out'),
    v = show_source,
    ['g?'] = show_help,
  }
  for number = 0, 9 do
    found[tostring(number)] = restart_numbered(number)
  end
  return found
end

return M
