;;; descartes-eglot.el --- Descartes on eglot -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Starts the server by eglot for Lisp files and hands its messages on.

;;; Code:

(require 'descartes)
(require 'eglot)

(declare-function descartes-lens-mode "descartes-lens")
(declare-function eglot-uri-to-path "eglot")
(declare-function eglot--uri-to-path "eglot")

(defclass descartes-eglot-server (eglot-lsp-server) ()
  :documentation "The Descartes language server.")

(cl-defmethod eglot-initialization-options ((_server descartes-eglot-server))
  "Trust, where it was given, and the settings."
  (append (when descartes-trusted '(:trusted t))
          (list :settings (or descartes-settings (make-hash-table)))))

(defun descartes-eglot--put (capabilities group more)
  "Return CAPABILITIES with MORE, a property list, put before those of GROUP."
  ;; An empty group is a hash table.
  (let ((before (plist-get capabilities group)))
    (plist-put capabilities group (append more (and (listp before) before)))))

(cl-defmethod eglot-client-capabilities ((_server descartes-eglot-server))
  "What eglot can, and the additions of this package."
  (let ((capabilities (copy-sequence (cl-call-next-method))))
    (setq capabilities (descartes-eglot--put capabilities :workspace '(:codeLens (:refreshSupport t)
                                                                       :inlayHint (:refreshSupport t))))
    (setq capabilities (descartes-eglot--put capabilities :window '(:showDocument (:support t))))
    (descartes-eglot--put capabilities :experimental '(:descartes (:notifications t)))))

;;; What the rest needs of an LSP client

(defun descartes-eglot-connection ()
  "Return this buffer's Descartes server, else any, else nil."
  (let ((here (eglot-current-server)))
    (if (cl-typep here 'descartes-eglot-server)
        here
      (cl-loop for servers being the hash-values of eglot--servers-by-project
               thereis (cl-find-if (lambda (each) (cl-typep each 'descartes-eglot-server)) servers)))))

(add-hook 'descartes-connection-functions #'descartes-eglot-connection)

(cl-defmethod descartes-request ((server descartes-eglot-server) method params done failed)
  "Send METHOD with PARAMS to SERVER; DONE or FAILED gets the answer."
  (jsonrpc-async-request
   server method params
   :success-fn done
   :error-fn (lambda (problem) (funcall failed (plist-get problem :message) (plist-get problem :data)))
   :timeout 3600))

(cl-defmethod descartes-place ((_server descartes-eglot-server))
  "Return this buffer and point."
  (if (not (eglot-managed-p))
      (list :uri nil :position nil)
    (eglot--signal-textDocument/didChange)
    (list :uri (plist-get (eglot--TextDocumentIdentifier) :uri)
          :position (eglot--pos-to-lsp-position))))

(defun descartes-eglot--path (uri)
  "Return the file name of URI."
  (if (fboundp 'eglot-uri-to-path) (eglot-uri-to-path uri) (eglot--uri-to-path uri)))

(cl-defmethod descartes-visit ((_server descartes-eglot-server) location)
  "Return the buffer and place of LOCATION."
  (let ((buffer (find-file-noselect (descartes-eglot--path (plist-get location :uri)))))
    (with-current-buffer buffer
      (save-restriction
        (widen)
        (cons buffer (eglot--lsp-position-to-point
                      (plist-get (plist-get location :range) :start)))))))

;;; The server's messages

(cl-defmethod eglot-handle-notification :around ((_server descartes-eglot-server) method &rest params)
  "Hand METHOD with PARAMS on if it is one of the server's own."
  (let ((own (alist-get method descartes-notifications)))
    (if own (funcall own params) (cl-call-next-method))))

(cl-defstruct (descartes-eglot-later (:constructor descartes-eglot-later))
  "A result that comes later; SEND takes it.
The connection does not wait for it: it answers nothing yet."
  send)

(cl-defmethod jsonrpc-connection-send :around ((server descartes-eglot-server) &rest message)
  "Send MESSAGE to SERVER, unless its result comes later."
  (let ((result (plist-get message :result)))
    (if (descartes-eglot-later-p result)
        (setf (descartes-eglot-later-send result)
              (lambda (value)
                (jsonrpc-connection-send server :id (plist-get message :id) :result value)))
      (cl-call-next-method))))

(defun descartes-eglot--later (ask)
  "Return a result that comes later, what ASK gives the function it is called with."
  (let ((later (descartes-eglot-later)))
    (funcall ask (lambda (value) (funcall (descartes-eglot-later-send later) value)))
    later))

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql descartes/lisp/input)) &rest params)
  "Ask for the input that the image wants, as PARAMS say."
  (descartes-eglot--later
   (lambda (answer)
     (descartes-input-wanted params (lambda (text) (funcall answer (list :text text)))))))

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql descartes/secret/input)) &rest params)
  "Ask for the secret that the vault wants, as PARAMS say."
  (descartes-eglot--later (lambda (answer) (descartes-secret-wanted params answer))))

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql window/showMessageRequest))
   &key message actions &allow-other-keys)
  "Ask for one of ACTIONS with MESSAGE; none is the answer to an empty line."
  (let ((titles (mapcar (lambda (each) (plist-get each :title)) actions)))
    (descartes-eglot--later
     (lambda (answer)
       (descartes-ask message titles
                      (lambda (title) (funcall answer (and (member title titles) (list :title title)))))))))

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql window/showDocument))
   &key uri takeFocus selection &allow-other-keys)
  "Show URI, and select it if TAKEFOCUS is t.
Point goes to the line where SELECTION begins, if there is one."
  (let* ((buffer (descartes-eglot--visit (descartes-eglot--path uri)))
         (window (if (eq takeFocus t)
                     (progn (pop-to-buffer buffer) (selected-window))
                   (display-buffer buffer)))
         (line (plist-get (plist-get selection :start) :line)))
    (when line
      (with-current-buffer buffer
        (save-restriction
          (widen)
          (goto-char (point-min))
          (forward-line line)
          (when window (set-window-point window (point)))))))
  '(:success t))

(defun descartes-eglot--visit (file)
  "Return a buffer with FILE as it is now.
No question is asked where nothing of the person's is lost."
  (let ((buffer (find-buffer-visiting file)))
    (when (and buffer (not (buffer-modified-p buffer)) (not (verify-visited-file-modtime buffer)))
      (with-current-buffer buffer (revert-buffer t t t)))
    (or buffer (find-file-noselect file))))

;;; Commands of code actions

(cl-defmethod eglot-execute-command ((_server descartes-eglot-server) command arguments)
  "Run COMMAND with ARGUMENTS, for eglot up to 1.11."
  (descartes-run-command (list :command (format "%s" command) :arguments arguments)))

(when (fboundp 'eglot-execute)
  (cl-defmethod eglot-execute :around ((_server descartes-eglot-server) action)
    "Run ACTION, a command or a code action, for newer versions of eglot."
    (let ((command (plist-get action :command)))
      (cond ((stringp command) (descartes-run-command action))
            ((and command (null (plist-get action :edit))) (descartes-run-command command))
            (t (cl-call-next-method))))))

;;; History documents

(define-derived-mode descartes-history-mode text-mode "History"
  "A document that shows a history around a moment; its lenses lead through it."
  (setq-local font-lock-defaults '((("^# .*$" . font-lock-keyword-face)
                                    ("^## ▶.*$" . font-lock-warning-face)
                                    ("^## .*$" . font-lock-function-name-face)
                                    ("^\\+.*$" . font-lock-string-face)
                                    ("^<!--.*-->$" . font-lock-comment-face))
                                   t))
  (setq-local outline-regexp "##? ")
  (setq buffer-read-only t)
  (descartes-eglot--ensure))

(add-to-list 'auto-mode-alist '("/views/history-[^/]*\\.md\\'" . descartes-history-mode))

;;; Starting

(defun descartes-eglot--managed ()
  "Turn `descartes-mode' on or off with eglot's management of this buffer."
  (when (derived-mode-p 'descartes-history-mode)
    (descartes-lens-mode (if (eglot-managed-p) 1 -1)))
  (when (derived-mode-p 'lisp-mode)
    (let ((on (and (eglot-managed-p) (cl-typep (eglot-current-server) 'descartes-eglot-server))))
      ;; By default only the signature would show inside a call, and not who holds the file.
      (when (and on (memq eldoc-documentation-strategy
                          '(eldoc-documentation-default eldoc-documentation-enthusiast)))
        (setq-local eldoc-documentation-strategy #'eldoc-documentation-compose))
      (descartes-mode (if on 1 -1))
      (descartes-lens-mode (if on 1 -1))
      (unless (descartes-eglot-connection)
        (descartes-debugger-update nil)))))

(defun descartes-eglot--ensure ()
  "Start the server for this file, if it is one and the server is installed."
  (when (and descartes-auto-start buffer-file-name)
    (if (executable-find (car descartes-command))
        (eglot-ensure)
      (message "Descartes: %s is not installed; pip install descartes-lsp" (car descartes-command)))))

(add-to-list 'eglot-server-programs
             (cons '(lisp-mode descartes-history-mode descartes-settings-mode)
                   (lambda (&rest _) (cons 'descartes-eglot-server descartes-command))))
(add-hook 'eglot-managed-mode-hook #'descartes-eglot--managed)
(add-hook 'lisp-mode-hook #'descartes-eglot--ensure)
(add-hook 'descartes-settings-mode-hook #'descartes-eglot--ensure)

(provide 'descartes-eglot)

(require 'descartes-lens)

;;; descartes-eglot.el ends here
