--- What the scripts of the tests use: a step that is waited for, what was shown, and the end with a status.
local M = {}

M.shown = {} ---@type string[] every message
M.first = 1 -- the first of those that are looked at
M.deadline = 60000

local notify = vim.notify
vim.notify = function(text, ...)
  M.shown[#M.shown + 1] = text
  return notify(text, ...)
end

local echo = vim.api.nvim_echo
vim.api.nvim_echo = function(chunks, ...)
  local text = ''
  for _, chunk in ipairs(chunks) do
    text = text .. chunk[1]
  end
  M.shown[#M.shown + 1] = text
  return echo(chunks, ...)
end

--- Wait for HOLDS to return something true and return that; fail the test, saying WHAT, when it does not.
function M.see(what, holds)
  local found
  vim.wait(M.deadline, function()
    found = holds()
    return found
  end, 10)
  if not found then
    local windows = vim.tbl_map(function(window)
      return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, 60, false), '\n')
    end, vim.api.nvim_list_wins())
    local seen = table.concat(windows, '\n-- next window\n')
    error(('not seen: %s\nmessages: %s\nwindows:\n%s'):format(what, vim.inspect(M.shown), seen), 0)
  end
  io.stdout:write('ok ' .. what .. '\n')
  return found
end

--- Look only at messages that come from now on.
function M.forget()
  M.first = #M.shown + 1
end

--- Wait for a message that contains TEXT, plain; it and those before it are not looked at again.
function M.see_message(text)
  return M.see('the message ' .. text, function()
    for index = M.first, #M.shown do
      local shown = M.shown[index]
      if shown:find(text, 1, true) then
        -- What `vim.notify` is given it gives to `nvim_echo`.
        M.first = index + (M.shown[index + 1] == shown and 2 or 1)
        return shown
      end
    end
  end)
end

--- Press KEYS as a person does.
function M.press(keys)
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, false, true), 'xt', false)
end

M.prompts = {} ---@type {prompt: string, default: string?}[] every question for a text, the newest last

--- Let the person answer prompts with TEXTS, in this order; `true` is what is proposed.
function M.answer_prompts(...)
  local texts = { ... }
  vim.ui.input = function(options, done)
    M.prompts[#M.prompts + 1] = options
    local text = table.remove(texts, 1)
    done(text == true and options.default or text)
  end
end

--- Let the person choose the item whose text begins with each of STARTS, in this order.
function M.choose(...)
  local starts = { ... }
  vim.ui.select = function(items, options, done)
    local start = table.remove(starts, 1)
    for index, item in ipairs(items) do
      if start and vim.startswith((options.format_item or tostring)(item), start) then
        return done(item, index)
      end
    end
    error(('nothing to choose begins with %s: %s'):format(start, vim.inspect(items)), 0)
  end
end

--- Return the text of BUFFER.
function M.text_of(buffer)
  return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, false), '\n')
end

--- Put the cursor on the first TEXT of the current buffer, OFFSET bytes further on.
function M.put_cursor(text, offset)
  for row, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    local column = line:find(text, 1, true)
    if column then
      return vim.api.nvim_win_set_cursor(0, { row, column - 1 + (offset or 0) })
    end
  end
  error(('no text %s in: %s'):format(text, M.text_of(0)))
end

--- Wait until the view NAME shows TEXT; return its buffer.
function M.see_in(name, text)
  return M.see(name .. ' with ' .. text, function()
    local buffer = vim.fn.bufnr('descartes://' .. name)
    return buffer > 0 and M.text_of(buffer):find(text, 1, true) and buffer
  end)
end

--- Go to the window of the view NAME.
function M.go_to(name)
  vim.api.nvim_set_current_win(vim.fn.win_findbuf(vim.fn.bufnr('descartes://' .. name))[1])
end

--- Wait until COUNT stops are told.
function M.see_stops(count)
  M.see(count .. ' stops', function()
    return #require('descartes.debugger').debuggers == count
  end)
end

--- Open the file NAME of the workspace and wait for the server and the image.
function M.start(name)
  vim.cmd.edit(vim.env.EDITOR_TEST_WORKSPACE .. '/' .. name)
  M.see('the server', function()
    return require('descartes').client()
  end)
  -- What a person asks for while the server or the image starts is done, not refused.
  vim.cmd('Descartes eval (+ 1 2)')
  M.see_message('⇒ 3')
end

--- Do each of PARTS in the window that is current now.
function M.each_from_here(parts)
  local window = vim.api.nvim_get_current_win()
  for _, part in ipairs(parts) do
    vim.api.nvim_set_current_win(window)
    M.forget()
    part()
  end
  vim.api.nvim_set_current_win(window)
end

--- Run BODY and end the editor: status 0 when nothing failed.
function M.run(body)
  local good, problem = xpcall(body, function(problem)
    return type(problem) == 'string' and debug.traceback(problem, 2) or vim.inspect(problem)
  end)
  io.stdout:write(good and 'all done\n' or 'FAILED ' .. problem .. '\n')
  for _, client in ipairs(vim.lsp.get_clients()) do
    if vim.fn.has('nvim-0.11') == 1 then
      client:stop()
    else
      client.stop()
    end
  end
  vim.wait(5000, function()
    return #vim.lsp.get_clients() == 0
  end, 10)
  vim.cmd(good and 'qall!' or 'cquit!')
end

return M
