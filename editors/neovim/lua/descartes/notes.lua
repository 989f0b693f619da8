--- Notes, the person's and those of agents: picked and opened, or written.
local M = {}

local call = require('descartes.call')

local LIMIT = 1000

local function text(value)
  return type(value) == 'string' and value or ''
end

local function line(note)
  local tags = #note.tags > 0 and (' [%s]'):format(table.concat(note.tags, ', ')) or ''
  local about = text(note.problem) ~= '' and note.problem or text(note.excerpt)
  return ('%s%s  %s  %s'):format(note.title, tags, note.updatedAt:sub(1, 10), about)
end

local function open(note)
  vim.cmd.edit(vim.fn.fnameescape(note.path))
end

--- Pick one of the notes, with WORDS of those that have them, and open it.
function M.pick(words)
  local asked = words ~= ''
  local arguments = { limit = LIMIT, text = asked and words or nil }
  call(asked and 'thought.search' or 'thought.list', arguments, function(answer)
    if #answer.thoughts == 0 then
      return vim.notify(asked and 'Descartes: no note has these words' or 'Descartes: there are no notes')
    end
    vim.ui.select(answer.thoughts, { prompt = 'Note', format_item = line }, function(note)
      if note then
        open(note)
      end
    end)
  end)
end

--- Write a note with TITLE, asked for when it is empty, and open its file below its head.
function M.write(title)
  if title == '' then
    return vim.ui.input({ prompt = 'Title: ' }, function(given)
      if given and given ~= '' then
        M.write(given)
      end
    end)
  end
  call('thought.create', { title = title }, function(note)
    open(note)
    vim.cmd.normal({ 'G', bang = true })
  end)
end

return M
