--- Looking around in the image: expansions, descriptions, who calls what, threads, calls as a tree.
local M = {}

local call = require('descartes.call')
local views = require('descartes.views')

local function inspect(params)
  require('descartes.inspector').open(params)
end

--- Show the text of an answer as the view NAME.
local function shows(name, filetype)
  return function(answer)
    views.text(name, answer.text, filetype)
  end
end

function M.describe(params)
  call('lisp.describe', params, shows('description'))
end

function M.disassemble(params)
  call('lisp.disassemble', params, shows('disassembly'))
end

local function expanded(answer)
  if not answer.expanded then
    vim.notify('Descartes: this form is no call of a macro')
  end
  return answer.expanded
end

--- Return the form under the cursor of this buffer and where it stands: from the parenthesis to its partner.
local function form_here()
  local first = vim.fn.searchpairpos('(', '', ')', 'bcnW')
  local last = vim.fn.searchpairpos('(', '', ')', 'nW')
  if vim.fn.getline('.'):sub(vim.fn.col('.'), vim.fn.col('.')) == ')' then
    last = { vim.fn.line('.'), vim.fn.col('.') }
  end
  if first[1] == 0 or last[1] == 0 then
    return nil
  end
  local lines = vim.api.nvim_buf_get_text(0, first[1] - 1, first[2] - 1, last[1] - 1, last[2], {})
  return table.concat(lines, '\n'), first, last
end

--- Expand the form under the cursor of an expansion, in its place.
local function expand_in_place(view)
  local code, first, last = form_here()
  if not code then
    return vim.notify('Descartes: no form here')
  end
  call('lisp.macroexpand', { code = code, mode = '1' }, function(answer)
    if expanded(answer) then
      local indent = '\n' .. (' '):rep(first[2] - 1)
      local lines = vim.split((answer.text:gsub('\n', indent)), '\n', { plain = true })
      vim.bo[view.buffer].modifiable = true
      vim.api.nvim_buf_set_text(view.buffer, first[1] - 1, first[2] - 1, last[1] - 1, last[2], lines)
      vim.bo[view.buffer].modifiable = false
    end
  end)
end

--- Expand what PARAMS name in MODE; <CR> in the answer expands a form inside.
function M.expand(params, mode)
  call('lisp.macroexpand', vim.tbl_extend('force', params, { mode = mode }), function(answer)
    if expanded(answer) then
      local view = views.text('expansion', answer.text, 'lisp')
      view:show('<CR> expand the form here once  q close')
      vim.keymap.set('n', '<CR>', function()
        expand_in_place(view)
      end, { buffer = view.buffer })
    end
  end)
end

function M.apropos(text)
  call('lisp.apropos', { text = text }, function(answer)
    local view = views.view('apropos', {
      ['<CR>'] = function(view)
        if view:entry() then
          M.describe({ symbol = view:entry().name })
        end
      end,
    })
    local lines = {}
    for _, symbol in ipairs(answer.symbols) do
      lines[#lines + 1] = {
        { ('%-44s '):format(symbol.name), 'Function' },
        { ('%-12s '):format(symbol.kind), 'Type' },
        { type(symbol.arglist) == 'string' and symbol.arglist or '', 'Comment' },
        entry = symbol,
      }
    end
    view:set(lines)
    view:show('<CR> describe  q close')
  end)
end

--- Show the places that stand in the relation KIND to the symbol of PARAMS.
function M.xref(params, kind)
  call('lisp.xref', vim.tbl_extend('force', params, { kind = kind }), function(answer)
    views.places(('%s of %s'):format(kind, params.symbol), answer.locations, function(place)
      return ('%s %s%s'):format(place.kind, place.name, place.source == 'text' and '  (in the text)' or '')
    end)
    if answer.more > 0 then
      vim.notify(('Descartes: %d more are not shown'):format(answer.more))
    end
  end)
end

function M.threads()
  call('lisp.threads', {}, function(answer)
    local view = views.view('threads', {
      R = M.threads,
      i = function(view)
        if view:entry() then
          call('lisp.interrupt', { thread = view:entry().id })
        end
      end,
      K = function(view)
        local thread = view:entry()
        if thread and vim.fn.confirm(('End the thread %s?'):format(thread.name), '&yes\n&no', 2) == 1 then
          call('lisp.killThread', { thread = thread.id }, M.threads)
        end
      end,
    })
    local lines = {}
    for _, thread in ipairs(answer.threads) do
      lines[#lines + 1] = {
        { ('%6s '):format(thread.id), 'Number' },
        { ('%-34s '):format(thread.name) },
        { thread.state, 'Type' },
        { type(thread.evaluation) == 'string' and ('  ' .. thread.evaluation:sub(1, 13)) or '', 'Comment' },
        entry = thread,
      }
    end
    view:set(lines)
    view:show('i interrupt  K end  R again  q close')
  end)
end

local function traced(answer)
  vim.notify('Traced: ' .. (#answer.traced > 0 and table.concat(answer.traced, ', ') or 'nothing'))
end

function M.trace(params)
  call('lisp.trace', params, traced)
end

function M.untrace()
  call('lisp.untraceAll', {}, traced)
end

local function put_call(lines, made, indent)
  local line = { { indent }, { '(' .. made.name, 'Function' }, entry = made }
  for _, argument in ipairs(made.arguments) do
    line[#line + 1] = { ' ' .. argument }
  end
  line[#line + 1] = { ')', 'Function' }
  if made.exit == 'normal' then
    line[#line + 1] = { ' ⇒ ', 'Comment' }
    line[#line + 1] = { table.concat(made.values, ' '), 'Constant' }
  else
    line[#line + 1] = made.exit == 'nonlocal' and { ' left without a value', 'DiagnosticError' } or { ' runs', 'DiagnosticWarn' }
  end
  line[#line + 1] = { ('  %.1f ms'):format(made.durationMs), 'Comment' }
  lines[#lines + 1] = line
  for _, inner in ipairs(made.calls) do
    put_call(lines, inner, indent .. '  ')
  end
end

--- Choose an argument or value of the call under the cursor and look into it.
local function inspect_of_call(view)
  local made = view:entry()
  if not made then
    return
  end
  local choices = {}
  for index, text in ipairs(made.arguments) do
    choices[#choices + 1] = { title = ('argument %d: %s'):format(index, text), params = { call = made.id, argument = index - 1 } }
  end
  for index, text in ipairs(made.values) do
    choices[#choices + 1] = { title = ('value %d: %s'):format(index, text), params = { call = made.id, value = index - 1 } }
  end
  vim.ui.select(choices, {
    prompt = 'Inspect',
    format_item = function(choice)
      return choice.title
    end,
  }, function(choice)
    if choice then
      inspect(choice.params)
    end
  end)
end

function M.trace_tree()
  call('lisp.traceTree', {}, function(tree)
    local view = views.view('trace', { ['<CR>'] = inspect_of_call, R = M.trace_tree })
    local names = #tree.traced > 0 and table.concat(tree.traced, ', ') or 'nothing'
    local lines = { { { 'Traced: ' .. names, 'Title' } } }
    for _, made in ipairs(tree.calls) do
      put_call(lines, made, '')
    end
    if #tree.calls == 0 then
      lines[2] = { { 'No call yet', 'Comment' } }
    end
    view:set(lines)
    view:show('<CR> inspect an argument or value  R again  q close')
  end)
end

function M.undefine(params)
  call('lisp.undefine', params, function(answer)
    vim.notify(('%s is no %s any more'):format(answer.name, type(answer.kind) == 'string' and answer.kind or 'definition'))
  end)
end

function M.unintern(params)
  call('lisp.unintern', params, function(answer)
    vim.notify(('%s is out of %s'):format(answer.name, answer.package))
  end)
end

return M
