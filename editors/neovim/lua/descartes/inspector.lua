--- Inspectors: windows that look into objects of the image, a page at a time, each with its own history.
local M = {}

local call = require('descartes.call')
local views = require('descartes.views')

local HELP = '<CR> go in  s set  e evaluate  b back  f forward  m more  x act  R again  q close'
local count = 0

--- Return the parts of the line for PART: what follows its name looks like a link.
local function shown(part)
  local name, sign, value = part.text:match('^(.-)( [=→] )(.*)$')
  if not sign then
    name, sign, value = part.text:match('^(.-)( → )(.*)$')
  end
  local line = { entry = part }
  if part.part and sign then
    line[1], line[2], line[3] = { name, 'Identifier' }, { sign }, { value, 'Function' }
  else
    line[1] = { part.text, part.part and 'Function' or nil }
  end
  if part.actionText and part.actionText ~= vim.NIL then
    line[#line + 1] = { '  [' .. part.actionText .. ']', 'Comment' }
  end
  return line
end

local function render(view)
  local inspection = view.inspection
  local lines = { { { inspection.title, 'Title' } }, { { inspection.type, 'Type' } }, { { '' } } }
  for _, part in ipairs(view.parts) do
    lines[#lines + 1] = shown(part)
  end
  if inspection.more then
    local of = inspection.count and inspection.count ~= vim.NIL and inspection.count or 'many'
    lines[#lines + 1] = { { ('… %d of %s lines'):format(#view.parts, of), 'Comment' } }
  end
  view:set(lines)
end

--- Return a function that shows an inspection in VIEW; ADDING to the lines there are.
local function taker(view, adding)
  return function(inspection)
    view.inspection = inspection
    view.parts = adding and vim.list_extend(view.parts, inspection.parts) or inspection.parts
    render(view)
  end
end

local function ask(operation, more, adding)
  return function(view)
    call('inspector.' .. operation, vim.tbl_extend('force', { id = view.inspection.id }, more and more(view) or {}), taker(view, adding))
  end
end

--- Return a function that does DO with the number under KEY of the line under the cursor.
local function with_part(key, do_it)
  return function(view)
    local part = view:entry()
    local number = part and part[key]
    if not number or number == vim.NIL then
      return vim.notify('Descartes: this line has none')
    end
    do_it(view, number)
  end
end

local function asked(prompt, operation, of)
  return function(view, number)
    vim.ui.input({ prompt = prompt }, function(code)
      if code and code ~= '' then
        local params = vim.tbl_extend('force', { id = view.inspection.id, code = code }, of and { [of] = number } or {})
        call('inspector.' .. operation, params, taker(view))
      end
    end)
  end
end

local KEYS = {
  ['<CR>'] = with_part('part', function(view, number)
    call('inspector.part', { id = view.inspection.id, part = number }, taker(view))
  end),
  s = with_part('part', asked('Set to the value of: ', 'set', 'part')),
  x = with_part('action', function(view, number)
    call('inspector.action', { id = view.inspection.id, action = number }, taker(view))
  end),
  e = asked('Evaluate (* is the object): ', 'eval'),
  b = ask('back'),
  f = ask('forward'),
  R = ask('refresh'),
  m = ask('more', nil, true),
  q = function(view)
    call('inspector.close', { id = view.inspection.id })
    vim.api.nvim_buf_delete(view.buffer, { force = true })
  end,
}

--- Look into what PARAMS of `inspector.open` name, in a window of its own.
function M.open(params)
  call('inspector.open', params, function(inspection)
    count = count + 1
    local view = views.view('inspector/' .. count, KEYS)
    M.buffer = view.buffer
    taker(view)(inspection)
    view:show(HELP, true)
  end)
end

return M
