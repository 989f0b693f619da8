--- What the scripts of the tests use: a step that is waited for, what was shown, and the end with a status.
local M = {}

M.shown = {} ---@type string[] every message
M.first = 1 -- the first of those that are looked at
M.deadline = 45000

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
    error(('not seen: %s\nmessages: %s'):format(what, vim.inspect(M.shown)), 0)
  end
  io.stdout:write('ok ' .. what .. '\n')
  return found
end

--- Look only at messages that come from now on.
function M.forget()
  M.first = #M.shown + 1
end

--- Wait for a message that contains TEXT, plain.
function M.see_message(text)
  return M.see('the message ' .. text, function()
    for index = M.first, #M.shown do
      if M.shown[index]:find(text, 1, true) then
        return M.shown[index]
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

--- Run BODY and end the editor: status 0 when nothing failed.
function M.run(body)
  local good, problem = xpcall(body, function(problem)
    return type(problem) == 'string' and debug.traceback(problem, 2) or vim.inspect(problem)
  end)
  if not good then
    io.stdout:write('FAILED ' .. problem .. '\n')
  end
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
