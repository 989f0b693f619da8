--- An hour with Descartes in Neovim, in some seconds: nothing here is prepared but the files and the model's script.
local folder = debug.getinfo(1, 'S').source:match('^@(.*)/')
local test = dofile(folder .. '/harness.lua')
local see, press = test.see, test.press
local text_of, put_cursor = test.text_of, test.put_cursor
local workspace = vim.env.EDITOR_TEST_WORKSPACE

local function descartes()
  return require('descartes')
end

--- Return the text of the float that hover opened, once it contains TEXT.
local function hover(text)
  vim.lsp.buf.hover()
  return see('the hover with ' .. text, function()
    for _, window in ipairs(vim.api.nvim_list_wins()) do
      if vim.api.nvim_win_get_config(window).relative ~= '' then
        local found = text_of(vim.api.nvim_win_get_buf(window))
        if found:find(text, 1, true) then
          vim.api.nvim_win_close(window, true)
          return found
        end
      end
    end
  end)
end

--- Return the lens lines drawn in the current buffer as one text.
local function lenses()
  local found = ''
  local namespace = vim.api.nvim_get_namespaces()['descartes-lenses']
  for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
    local lines = mark[4].virt_lines or { mark[4].virt_text }
    for _, line in ipairs(lines) do
      for _, chunk in ipairs(line) do
        found = found .. chunk[1]
      end
      found = found .. '\n'
    end
  end
  return found
end

local function see_lens(title)
  return see('the lens ' .. title, function()
    return lenses():find(title, 1, true)
  end)
end

local function diagnostic(text)
  for _, each in ipairs(vim.diagnostic.get(0)) do
    if each.message:find(text, 1, true) then
      return each
    end
  end
end

local function panel()
  local buffer = require('descartes.debugger').buffer
  return buffer and vim.fn.win_findbuf(buffer)[1], buffer
end

local function see_panel(text)
  return see('the debugger with ' .. text, function()
    local window, buffer = panel()
    return window and text_of(buffer):find(text, 1, true) and window
  end)
end

local function question(title)
  return see('the question ' .. title, function()
    for _, each in ipairs(require('descartes.interventions').open) do
      if each.title:find(title, 1, true) then
        return each
      end
    end
  end)
end

local function look()
  put_cursor('restart-case', 2)
  hover('restart-case')
  put_cursor('(* width', 8)
  local client = descartes().client()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local labels
  require('descartes.requests').send(client, 'textDocument/completion', params, function(_, result)
    labels = vim.tbl_map(function(item)
      return item.label
    end, result.items or result)
  end)
  see('completions', function()
    return labels and vim.tbl_contains(labels, 'width')
  end)
end

local function mistake()
  put_cursor('(defun area', 2)
  press(',c')
  test.see_message('compiled')
  local note = see('the note of the compiler', function()
    return diagnostic('HIEGHT')
  end)
  put_cursor('hieght')
  assert(note.lnum == vim.api.nvim_win_get_cursor(0)[1] - 1, 'the note stands at the mistake')
  assert(note.col == vim.api.nvim_win_get_cursor(0)[2], 'the note begins at the mistake')
  press('ciwheight<Esc>')
  press(',c')
  test.see_message('compiled')
  see('the note to disappear', function()
    return not diagnostic('HIEGHT')
  end)
  put_cursor('(area 2 3)')
  press(',e')
  test.see_message('⇒ 6')
  vim.cmd.write()
end

local function stop()
  put_cursor('(defun average')
  press(',c')
  test.see_message('compiled')
  local window, cursor = vim.api.nvim_get_current_win(), vim.api.nvim_win_get_cursor(0)
  vim.cmd("Descartes eval (average '())")
  local shown = see_panel('USE-VALUE')
  assert(shown ~= window, 'the debugger has a window of its own')
  assert(vim.api.nvim_get_current_win() == window, 'the focus stays')
  assert(vim.deep_equal(vim.api.nvim_win_get_cursor(0), cursor), 'the cursor stays')
  see_lens('■ DIVISION-BY-ZERO')
  see_lens('USE-VALUE')
  see('the stop as a diagnostic', function()
    return diagnostic('DIVISION-BY-ZERO')
  end)
  assert(descartes().status():find('1 stopped'), descartes().status())
end

--- In the debugger's window: variables, a form evaluated in a frame, source, a nested stop that is aborted.
local function examine()
  vim.cmd('Descartes debugger')
  local window, buffer = panel()
  assert(vim.api.nvim_get_current_win() == window, ':Descartes debugger goes there')
  put_cursor('AVERAGE NIL')
  press('<CR>')
  see_panel('numbers = NIL')
  test.answer_prompts('(list numbers 7)')
  put_cursor('AVERAGE NIL')
  press('e')
  test.see_message('⇒ (NIL 7)')
  press('v')
  assert(vim.api.nvim_get_current_win() ~= window, 'v shows the source in another window')
  see('the source', function()
    return vim.api.nvim_buf_get_name(0):find('shapes.lisp', 1, true)
  end)
  vim.api.nvim_set_current_win(window)
  test.answer_prompts('(error "a second one")')
  put_cursor('AVERAGE NIL')
  press('e')
  see_panel('level 2')
  assert(vim.api.nvim_get_current_line():find('AVERAGE NIL', 1, true), 'the cursor stays on its frame')
  press('gg]]')
  assert(vim.api.nvim_get_current_line():find('a second one', 1, true), 'the newest stop stands first')
  press('a')
  see('the parent level alone', function()
    return #require('descartes.debugger').debuggers == 1 and not text_of(buffer):find('a second one', 1, true)
  end)
  vim.cmd('wincmd p')
end

local function restart_by_lens()
  put_cursor('(restart-case')
  see_lens('USE-VALUE')
  test.choose('USE-VALUE')
  test.answer_prompts('(* 6 7)')
  press(',l')
  test.see_message('⇒ 42')
  see('the debugger to close', function()
    return not panel()
  end)
  see('the lenses and the diagnostic to go', function()
    return lenses() == '' and not diagnostic('DIVISION-BY-ZERO')
  end)
end

local function restart_by_code_action()
  vim.cmd("Descartes eval (average '())")
  local stopped = see('the stop', function()
    return diagnostic('DIVISION-BY-ZERO')
  end)
  vim.api.nvim_win_set_cursor(0, { stopped.lnum + 1, stopped.col })
  test.answer_prompts('(* 6 8)')
  vim.lsp.buf.code_action({
    apply = true,
    filter = function(action)
      return vim.startswith(action.title, 'USE-VALUE')
    end,
  })
  test.see_message('⇒ 48')
end

local function read_a_line()
  test.answer_prompts('forty-two')
  vim.cmd('Descartes eval (read-line)')
  test.see_message('⇒ "forty-two"')
  vim.cmd('Descartes eval (princ "printed")')
  see('the output', function()
    local found = vim.fn.bufnr('descartes://output')
    return found > 0 and text_of(found):find('printed', 1, true)
  end)
end

local function agent()
  local run
  descartes().call('run.spawn', {
    task = 'Say what the numbers are for',
    agent = 'scribe',
    backend = 'model',
    model = 'scripted:' .. vim.env.EDITOR_TEST_SCRIPT,
    files = { 'numbers.lisp' },
  }, function(spawned)
    run = spawned
  end)
  question('write notes.lisp')
  test.see_message('Descartes asks: write notes.lisp')
  test.choose('Accept with other arguments')
  test.answer_prompts('{"path": "notes.lisp", "content": ";; Halves.\\n;; And ratios.\\n"}')
  press(',i')
  local second = question('write numbers.lisp')
  local proposed = vim.json.decode(test.prompts[#test.prompts].default)
  assert(proposed.path == 'notes.lisp' and proposed.content == ';; Halves.\n', vim.inspect(proposed))
  assert(vim.fn.readfile(workspace .. '/notes.lisp')[2] == ';; And ratios.', 'what was accepted is written')
  vim.cmd.edit(workspace .. '/numbers.lisp')
  see_lens('held by scribe')
  put_cursor('number 2')
  hover('held by scribe')
  vim.cmd('Descartes lease')
  test.see_message('scribe')
  test.choose('take over')
  vim.api.nvim_win_set_cursor(0, { 1, 0 })
  press(',l')
  see_lens('held by you')
  descartes().call('intervention.answer', { id = second.id, choice = 'accept' })
  test.see_message('scribe failed: lease_lost')
  assert(vim.fn.readfile(workspace .. '/numbers.lisp')[1] == '(defpackage :numbers', 'nothing was overwritten')
  vim.cmd('Descartes history')
  see('the history', function()
    return text_of(0):find('lease.stolen', 1, true)
  end)
  assert(run.agent == 'scribe')
  vim.cmd.close()
end

--- What is written for later runs: on the whiteboard of the run's session, and as wisdom.
local function memory()
  test.answer_prompts('Halves are exact', 'as ratios')
  test.choose('solution', 'important')
  vim.cmd('Descartes whiteboard')
  test.see_in('whiteboard', 'Nothing is on this whiteboard yet')
  test.go_to('whiteboard')
  assert(vim.wo.wrap and vim.wo.linebreak, 'what is written there is read to its end')
  press('p')
  test.see_in('whiteboard', 'Halves are exact')
  put_cursor('Halves')
  press('a')
  test.see_in('whiteboard', 'important  as ratios')
  press('q')
  test.answer_prompts('Read ratios before floats', 'numbers')
  vim.cmd('Descartes wisdom')
  test.see_in('wisdom', 'Nothing of that was learned here yet')
  test.go_to('wisdom')
  press('a')
  test.see_in('wisdom', ' 75 %  Read ratios before floats')
  put_cursor('Read ratios')
  press('+')
  test.see_in('wisdom', ' 83 %  Read ratios')
  press('-')
  test.see_in('wisdom', '2 outcomes')
  press('q')
end

--- Wait for the window in which things are marked, with TEXT.
local function see_choice(text)
  see('the choice with ' .. text, function()
    return vim.api.nvim_buf_get_name(0):find('descartes://choice', 1, true) and text_of(0):find(text, 1, true)
  end)
end

--- Let another agent take a lease on what the run wrote, or give it back.
local function bob(verb)
  local done
  descartes().call('lease.' .. verb, { path = 'notes.lisp', holder = 'agent:bob' }, function()
    done = true
  end)
  see('bob to ' .. verb, function()
    return done
  end)
end

--- Wait for the end of a restore: a file goes before that.
local function see_restored()
  local restores, asked = {}, false
  see('the restore to be done', function()
    if not asked then
      asked = true
      descartes().call('restore.list', {}, function(answer)
        restores, asked = answer.restores, false
      end)
    end
    return #restores > 0
  end)
end

--- Walk to the first entry of the history that is shown: there is none before it to be asked for.
local function to_the_first_entry()
  local call, asked, shown = descartes().call, 0, 0
  descartes().call = function(operation, arguments, done, ...)
    asked = asked + 1
    return call(operation, arguments, function(answer)
      done(answer)
      shown = shown + 1
    end, ...)
  end
  local before
  repeat
    before = asked
    press('p')
    see('the entry before, if there is one', function()
      return shown == asked
    end)
  until asked == before
  descartes().call = call
end

--- What the run did is walked through, the files are put back as they were before it, and that is undone.
local function history()
  test.choose('Say what the numbers are for')
  vim.cmd('Descartes run-history')
  see('the history of the run', function()
    return text_of(0):find('Say what the numbers are for', 1, true) and vim.b.changedtick and vim.fn.maparg('p', 'n') ~= ''
  end)
  local first = vim.api.nvim_win_get_cursor(0)[1]
  press('p')
  see('the entry before', function()
    return vim.api.nvim_win_get_cursor(0)[1] ~= first
  end)
  press('-')
  see('less of it', function()
    return text_of(0):find('[turns]', 1, true) or lenses():find('[turns]', 1, true)
  end)
  to_the_first_entry()
  bob('acquire')
  test.choose('Go back')
  press('R')
  see_choice('[x] The conversation')
  assert(text_of(0):find('[ ] The image', 1, true), 'the image is only taken back when one says so: ' .. text_of(0))
  put_cursor('[x] The conversation')
  press('<Space>')
  see_choice('[ ] The conversation')
  press('<CR>')
  see_choice('[x] notes.lisp')
  assert(text_of(0):find('delete, held by bob', 1, true), text_of(0))
  press('q')
  bob('release')
  test.choose('Go back')
  press('R')
  see_choice('[x] The files')
  press('<CR>')
  see_choice('[x] notes.lisp')
  assert(not text_of(0):find('held by', 1, true), text_of(0))
  press('<CR>')
  see('the file to go', function()
    return vim.fn.filereadable(workspace .. '/notes.lisp') == 0
  end)
  see_restored()
  vim.fn.writefile({ ';; Mine.' }, workspace .. '/notes.lisp')
  test.choose('Undo all the same')
  vim.cmd('Descartes undo-restore')
  test.see_message('notes.lisp was changed since the restore; force the undo')
  test.see_message('the restore is undone')
  assert(vim.fn.readfile(workspace .. '/notes.lisp')[1] == ';; Halves.', 'what was there is there again')
end

--- A text is replaced in the files that are left marked, after a look at the diff, and that is undone.
local function replace()
  for _, name in ipairs({ 'one.lisp', 'two words.lisp' }) do
    vim.fn.writefile({ '(quotient-of 1 2) ; quotient-of' }, workspace .. '/' .. name)
  end
  test.choose('the Lisp symbol')
  test.answer_prompts('quotient-of', 'ratio-of')
  vim.cmd('Descartes replace')
  see('the diff', function()
    return vim.bo.filetype == 'diff' and text_of(0):find('+(ratio-of 1 2) ; quotient-of', 1, true)
  end)
  assert(vim.wo.winbar:find('2 places in 2 files', 1, true), vim.wo.winbar)
  press('<CR>')
  see_choice('[x] one.lisp')
  put_cursor('[x] one.lisp')
  press('<Space>')
  see_choice('[ ] one.lisp')
  press('<CR>')
  test.see_message('1 file changed')
  assert(vim.fn.readfile(workspace .. '/two words.lisp')[1] == '(ratio-of 1 2) ; quotient-of')
  assert(vim.fn.readfile(workspace .. '/one.lisp')[1] == '(quotient-of 1 2) ; quotient-of', 'what was left out stays')
  assert(vim.bo.filetype ~= 'diff', 'the diff is gone when it is done')
  vim.cmd('Descartes undo-restore')
  test.see_message('the restore is undone')
  assert(vim.fn.readfile(workspace .. '/two words.lisp')[1] == '(quotient-of 1 2) ; quotient-of')
end

test.run(function()
  test.start('shapes.lisp')
  look()
  mistake()
  stop()
  examine()
  restart_by_lens()
  restart_by_code_action()
  read_a_line()
  dofile(folder .. '/stops.lua')(test)
  dofile(folder .. '/stepping.lua')(test)
  dofile(folder .. '/views.lua')(test, workspace)
  agent()
  memory()
  history()
  replace()
  for _, message in ipairs(test.shown) do
    assert(not message:find('deprecated', 1, true), message)
  end
  assert(not vim.fn.execute('messages'):find('deprecated', 1, true), vim.fn.execute('messages'))
end)
