--- A text replaced in many files: what would change is shown as a diff, and done when that is chosen there.
local M = {}

local call = require('descartes.call')

local KEYS = '<CR> replace, in files to choose  q leave everything as it is'
local KINDS = {
  { title = 'the text', how = {} },
  { title = 'the Lisp symbol', how = { symbol = true } },
  { title = 'the regular expression', how = { regex = true } },
}

local function counted(count, noun)
  return ('%d %s%s'):format(count, noun, count == 1 and '' or 's')
end

--- Return how FILE, one that would change, is shown; what cannot be changed now is not marked at first.
local function file_line(file)
  local refused = type(file.refused) == 'string' and file.refused or nil
  local notes = { counted(file.count, 'place'), refused }
  return { id = file.path, text = file.path, note = table.concat(notes, ', '), warn = refused ~= nil, off = refused ~= nil }
end

--- Let the files of PREVIEW be chosen, replace in those and close WINDOW, which shows the diff.
local function apply(preview, window)
  require('descartes.choosing').several('Replace in which files?', vim.tbl_map(file_line, preview.files), function(paths)
    call('edit.apply', { confirm = preview.id, paths = paths }, function(done)
      if vim.api.nvim_win_is_valid(window) and #vim.api.nvim_list_wins() > 1 then
        vim.api.nvim_win_close(window, true)
      end
      vim.cmd.checktime()
      vim.notify(('Descartes: %s changed  (:Descartes undo-restore)'):format(counted(#done.files, 'file')))
    end)
  end)
end

--- Show the diff of PREVIEW in a window of its own, and go there.
local function show(preview)
  local text = table.concat(vim.tbl_map(function(file)
    return file.diff
  end, preview.files))
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, 'descartes://replace/' .. preview.id)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(vim.trim(text), '\r?\n'))
  vim.bo[buffer].filetype, vim.bo[buffer].modifiable, vim.bo[buffer].bufhidden = 'diff', false, 'wipe'
  vim.cmd('botright split')
  local window = vim.api.nvim_get_current_win()
  vim.api.nvim_win_set_buf(window, buffer)
  vim.wo[window].winbar = ('%s: %s in %s   %s'):format(
    preview.what:gsub('%%', '%%%%'),
    counted(preview.count, 'place'),
    counted(#preview.files, 'file'),
    KEYS
  )
  local function map(key, act)
    vim.keymap.set('n', key, act, { buffer = buffer, nowait = true, silent = true })
  end
  map('<CR>', function()
    apply(preview, window)
  end)
  map('q', function()
    vim.api.nvim_win_close(window, true)
  end)
end

--- Ask what is replaced by what; PATTERN is proposed. Then its diff is shown.
function M.ask(pattern)
  vim.ui.select(KINDS, {
    prompt = 'Replace in the workspace',
    format_item = function(kind)
      return kind.title
    end,
  }, function(kind)
    if not kind then
      return
    end
    vim.ui.input({ prompt = ('replace %s: '):format(kind.title), default = pattern }, function(old)
      if not old or old == '' then
        return
      end
      vim.ui.input({ prompt = ('%s by: '):format(old) }, function(new)
        if not new then
          return
        end
        local params = vim.tbl_extend('force', kind.how, { pattern = old, replacement = new })
        call('edit.preview', params, function(preview)
          if #preview.files == 0 then
            return vim.notify(('Descartes: %s: there is nothing to change'):format(preview.what))
          end
          show(preview)
        end)
      end)
    end)
  end)
end

return M
