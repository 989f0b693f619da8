--- The history of a run or of a file as a document to walk through, and going back to a moment of it.
local M = {}

local call = require('descartes.call')

local LEVELS = { 'turns', 'steps', 'events' }
local KEYS = 'n next  p previous  + - more or less  P play  R restore here  f fork here  q close'

local show

--- Return LEVEL with STEP more detail, or less.
local function beside(level, step)
  for index, name in ipairs(LEVELS) do
    if name == level then
      return LEVELS[math.min(math.max(index + step, 1), #LEVELS)]
    end
  end
end

--- Ask whether to go back to the moment that DOCUMENT of ABOUT shows; what goes back is chosen then.
local function restore(about, document)
  if not about.run then
    return vim.notify('Descartes: a restore goes to a moment of a run; look at the history of one')
  end
  local params = { run = about.run, to = document.event, ask = true }
  local function asked(preview)
    require('descartes.interventions').ask(preview.intervention)
  end
  -- At that moment no image ran, perhaps; what else is wrong the server says again.
  local all = vim.tbl_extend('force', params, { bodies = { 'body', 'brain', 'image' } })
  call('restore.preview', all, asked, function()
    call('restore.preview', params, asked)
  end)
end

local function fork(about, document)
  if about.run then
    call('session.fork', { run = about.run, at = document.event }, function(branch)
      vim.notify(('Descartes: session %s goes on from here'):format(branch.session:sub(5, 12)))
    end)
  end
end

--- Let the history of the run of ABOUT go on by itself, or wait.
local function play(about)
  if about.run then
    call('history.playback', { run = about.run }, function(playback)
      vim.notify(('Descartes: %s'):format(playback.state))
    end)
  end
end

local function keys(about, document, buffer)
  local function to(seq)
    return function()
      if seq and seq ~= vim.NIL then
        show(vim.tbl_extend('force', about, { at = tostring(seq), level = document.level }))
      end
    end
  end
  local function detail(step)
    return function()
      show(vim.tbl_extend('force', about, { at = tostring(document.at), level = beside(document.level, step) }))
    end
  end
  for key, action in pairs({
    n = to(document.next),
    p = to(document.previous),
    ['+'] = detail(1),
    ['-'] = detail(-1),
    P = function()
      play(about)
    end,
    R = function()
      restore(about, document)
    end,
    f = function()
      fork(about, document)
    end,
    q = '<Cmd>close<CR>',
  }) do
    vim.keymap.set('n', key, action, { buffer = buffer, nowait = true })
  end
end

--- Return the window that shows the file PATH, made below this one when there is none.
local function window_of(path)
  local buffer = vim.fn.bufadd(path)
  local window = vim.fn.win_findbuf(buffer)[1]
  if not window then
    window = vim.api.nvim_open_win(buffer, true, { split = 'below', win = 0, height = math.floor(vim.o.lines / 2) })
    vim.wo[window][0].winbar, vim.wo[window][0].wrap = KEYS, false
  end
  vim.api.nvim_set_current_win(window)
  return window, buffer
end

--- Show the history that ABOUT names: a run or a file, a moment, a level of detail.
function show(about)
  call('history.document', about, function(document)
    local window, buffer = window_of(document.path)
    -- Whatever `fileencodings` says: nothing but UTF-8 is ever written there.
    vim.cmd('edit! ++enc=utf-8')
    vim.bo[buffer].modifiable = false
    vim.api.nvim_win_set_cursor(window, { document.range.start.line + 1, 0 })
    keys({ run = about.run, uri = about.uri }, document, buffer)
  end)
end

--- Have a person choose a run, then DO_IT with its id.
local function with_run(prompt, do_it)
  call('run.list', vim.empty_dict(), function(answer)
    if #answer.runs == 0 then
      return vim.notify('Descartes: no run was started here yet')
    end
    vim.ui.select(answer.runs, {
      prompt = prompt,
      format_item = function(run)
        return ('%s  %s  %s'):format((run.task:gsub('\n.*', '')), run.status, run.id:sub(5, 12))
      end,
    }, function(run)
      if run then
        do_it(run.id)
      end
    end)
  end)
end

--- Show the history of RUN, asked for when it is nil.
function M.run(run)
  if run then
    return show({ run = run })
  end
  with_run('History of the run', M.run)
end

--- Show the history of the file URI.
function M.file(uri)
  show({ uri = uri })
end

--- Open a picture of RUN and what came of it, or of the newest runs.
function M.picture(run)
  call('history.picture', { run = run }, function(picture)
    vim.ui.open(picture.path)
  end)
end

--- Say the message of the refusal ERR, and choose one of the ways to go on that it names; GO gets its arguments.
local function choose_way(err, go)
  local ways = type(err.data) == 'table' and err.data.choices or {}
  vim.notify('Descartes: ' .. err.message, vim.log.levels.WARN)
  if #ways == 0 then
    return
  end
  local function title(way)
    return way.title
  end
  vim.ui.select(ways, { prompt = 'Descartes: ' .. err.message, format_item = title }, function(way)
    if way then
      go(way.arguments)
    end
  end)
end

--- Take the last restore back, or do it again: DIRECTION is `undo` or `redo`.
--- What was changed since is only taken away when one chooses so.
function M.turn(direction, arguments)
  call('restore.' .. direction, arguments or vim.empty_dict(), function(done)
    vim.cmd.checktime()
    local what = direction == 'undo' and 'the restore is undone' or 'restored again'
    vim.notify(('Descartes: %s: %d file%s'):format(what, #done.files, #done.files == 1 and '' or 's'))
  end, function(err)
    choose_way(err, function(chosen)
      M.turn(direction, chosen)
    end)
  end)
end

return M
