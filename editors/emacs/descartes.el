;;; descartes.el --- A live Lisp image, agents and leases, on eglot -*- lexical-binding: t -*-

;; Author: The Descartes developers
;; Version: 0.1.0
;; Package-Requires: ((emacs "28.1") (eglot "1.9"))
;; Keywords: lisp, languages, tools
;; URL: https://example.invalid/descartes
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Load this file and open a Lisp file: eglot starts the server `descartes lsp'.
;; Everything the standard methods carry is eglot's; this package adds the
;; debugger's buffer, code lenses, questions of runs, and commands.  It decides
;; nothing that the server can decide.

;;; Code:

(require 'cl-lib)
(require 'eglot)

(defgroup descartes nil
  "A live Lisp image, agents and leases."
  :group 'lisp
  :prefix "descartes-")

(defcustom descartes-command '("descartes" "lsp")
  "The server's command."
  :type '(repeat string))

(defcustom descartes-settings nil
  "Settings of the server as in descartes.toml, a property list.
For example (:lisp (:command [\"sbcl\"]))."
  :type 'plist)

(defcustom descartes-trusted nil
  "Whether every workspace opened here is trusted.
Otherwise the server asks once for each."
  :type 'boolean)

(defcustom descartes-auto-start t
  "Whether opening a Lisp file starts the server."
  :type 'boolean)

(defclass descartes-eglot-server (eglot-lsp-server) ()
  :documentation "The Descartes language server.")

(defvar descartes-status '(:state "stopped")
  "The image's status as the server last said it.")

(defvar descartes-last-evaluation nil
  "The last evaluation that ended, as the server sent it.")

(declare-function descartes-debugger-update "descartes-debugger")
(declare-function descartes-debugger-show "descartes-debugger")
(declare-function descartes-questions-update "descartes-runs")
(declare-function descartes-runs-changed "descartes-runs")
(declare-function descartes-lens-mode "descartes-lens")

(cl-defmethod eglot-initialization-options ((_server descartes-eglot-server))
  "Trust, where it was given, and the settings."
  (append (when descartes-trusted '(:trusted t))
          (list :settings (or descartes-settings (make-hash-table)))))

(cl-defmethod eglot-client-capabilities ((_server descartes-eglot-server))
  "What eglot can, and the server's own notifications."
  (append (cl-call-next-method)
          '(:experimental (:descartes (:notifications t)))))

;;; Asking the server

(defun descartes-server ()
  "Return this buffer's server, else any Descartes server; an error without one."
  (let ((here (eglot-current-server)))
    (cond ((cl-typep here 'descartes-eglot-server) here)
          ((cl-loop for servers being the hash-values of eglot--servers-by-project
                    thereis (cl-find-if (lambda (each) (cl-typep each 'descartes-eglot-server)) servers)))
          (t (user-error "Descartes: open a Lisp file first")))))

(defun descartes-call (operation arguments &optional done)
  "Ask for OPERATION with the property list ARGUMENTS; DONE gets the result.
An error is shown as a message."
  (let ((buffer (current-buffer)))
    (jsonrpc-async-request
     (descartes-server) :workspace/executeCommand
     (list :command (concat "descartes." operation)
           :arguments (vector (or arguments (make-hash-table))))
     :success-fn (lambda (result)
                   (when (and done (buffer-live-p buffer))
                     (with-current-buffer buffer (funcall done result))))
     :error-fn (lambda (error) (message "Descartes: %s" (plist-get error :message)))
     :timeout 3600)))

(defun descartes--file ()
  "Return this buffer's file as parameters."
  (when (fboundp 'eglot--signal-textDocument/didChange)
    (eglot--signal-textDocument/didChange))
  (list :uri (plist-get (eglot--TextDocumentIdentifier) :uri)))

(defun descartes--here ()
  "Return this buffer's file and point as parameters."
  (append (descartes--file) (list :position (eglot--pos-to-lsp-position))))

;;; What the server says by itself

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/lisp/status)) &rest status)
  "Keep STATUS for the mode line."
  (setq descartes-status status)
  (force-mode-line-update t))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/lisp/evaluated)) &rest evaluation)
  "Keep EVALUATION."
  (setq descartes-last-evaluation evaluation))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/lisp/output)) &key text &allow-other-keys)
  "Append TEXT to the output buffer."
  (with-current-buffer (get-buffer-create "*descartes-output*")
    (let ((following (= (point) (point-max))))
      (save-excursion
        (goto-char (point-max))
        (insert text)
        (when (> (buffer-size) 4000000)
          (delete-region (point-min) (- (point-max) 2000000))))
      (when following
        (goto-char (point-max))
        (dolist (window (get-buffer-window-list nil nil t))
          (set-window-point window (point-max)))))))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/debugger/changed)) &key debuggers)
  "Show DEBUGGERS, without taking the focus."
  (descartes-debugger-update (append debuggers nil)))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/intervention/changed)) &key interventions)
  "Announce INTERVENTIONS."
  (descartes-questions-update (append interventions nil)))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/run/changed)) &rest run)
  "Announce the end of RUN."
  (descartes-runs-changed run))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/lease/changed)) &key lease change)
  "Announce LEASE when CHANGE is a takeover."
  (when (equal change "stolen")
    (message "Descartes: %s took over %s"
             (plist-get (plist-get lease :holder) :name) (plist-get lease :path))))

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/run/output)) &rest _)
  "Runs are read on request.")

(cl-defmethod eglot-handle-notification
  ((_server descartes-eglot-server) (_method (eql descartes/event)) &rest _)
  "History is read on request.")

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql descartes/lisp/input)) &key prompt kind &allow-other-keys)
  "Ask for the text that the image reads, with its own PROMPT; KIND is line or yesOrNo."
  (list :text (if (equal kind "yesOrNo")
                  (if (yes-or-no-p prompt) "yes" "no")
                (read-string (if (string-empty-p prompt) "Lisp reads: " prompt)))))

;;; Commands

(defun descartes-show-evaluation (evaluation)
  "Show the outcome of EVALUATION in the echo area."
  (pcase (plist-get evaluation :state)
    ("stopped" nil)
    ("done" (let ((values (append (plist-get evaluation :values) nil)))
              (message "⇒ %s" (if values (string-join values "\n  ") "no values"))))
    (state (message "⇒ %s" state))))

(defun descartes--show-compilation (compilation)
  "Say how COMPILATION went; its notes are diagnostics already."
  (unless (equal (plist-get compilation :state) "stopped")
    (let ((n-notes (length (plist-get compilation :notes))))
      (message "⇒ %s in %d ms%s"
               (if (eq (plist-get compilation :success) t) "compiled" "failed")
               (plist-get compilation :durationMs)
               (if (zerop n-notes) "" (format ", %d note%s" n-notes (if (= n-notes 1) "" "s")))))))

(defun descartes--show-status (status)
  "Show STATUS of the image."
  (message "Lisp: %s%s" (plist-get status :state)
           (if (equal (plist-get status :state) "ready")
               (format " (%s %s, pid %s)" (plist-get status :implementation)
                       (plist-get status :version) (plist-get status :pid))
             "")))

(defun descartes-eval (code)
  "Evaluate CODE in the package of this place."
  (interactive "sEvaluate: ")
  (descartes-call "lisp.eval" (append (descartes--here) (list :code code)) #'descartes-show-evaluation))

(defun descartes-eval-region (start end)
  "Evaluate the text between START and END."
  (interactive "r")
  (descartes-eval (buffer-substring-no-properties start end)))

(defun descartes-eval-last ()
  "Evaluate the form before point."
  (interactive)
  (descartes-call "lisp.evalForm" (append (descartes--here) '(:scope "last")) #'descartes-show-evaluation))

(defun descartes-eval-form ()
  "Evaluate the top-level form around point."
  (interactive)
  (descartes-call "lisp.evalForm" (append (descartes--here) '(:scope "toplevel"))
                  #'descartes-show-evaluation))

(defun descartes-compile-form ()
  "Compile the top-level form around point."
  (interactive)
  (descartes-call "lisp.compileForm" (descartes--here) #'descartes--show-compilation))

(defun descartes-compile-file ()
  "Compile and load this file as it is in the buffer."
  (interactive)
  (descartes-call "lisp.compileFile" (descartes--file) #'descartes--show-compilation))

(defun descartes-load-file ()
  "Load the source of this file."
  (interactive)
  (descartes-call "lisp.loadFile" (descartes--file) #'descartes--show-compilation))

(defun descartes-interrupt ()
  "Stop in the debugger what this editor's newest evaluation does."
  (interactive)
  (descartes-call "lisp.interrupt" nil))

(defun descartes-start ()
  "Start the image."
  (interactive)
  (descartes-call "lisp.start" nil #'descartes--show-status))

(defun descartes-stop ()
  "End the image."
  (interactive)
  (descartes-call "lisp.stop" nil #'descartes--show-status))

(defun descartes-restart ()
  "End the image and start a fresh one."
  (interactive)
  (descartes-call "lisp.restart" nil #'descartes--show-status))

(defun descartes-show-output ()
  "Show what the image printed, beside the code."
  (interactive)
  (display-buffer (get-buffer-create "*descartes-output*")))

;;; The mode

(defvar descartes-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-x C-e") #'descartes-eval-last)
    (define-key map (kbd "C-M-x") #'descartes-eval-form)
    (define-key map (kbd "C-c C-c") #'descartes-compile-form)
    (define-key map (kbd "C-c C-k") #'descartes-compile-file)
    (define-key map (kbd "C-c C-l") #'descartes-load-file)
    (define-key map (kbd "C-c C-r") #'descartes-eval-region)
    (define-key map (kbd "C-c C-b") #'descartes-interrupt)
    (define-key map (kbd "C-c C-d") #'descartes-debugger-show)
    (define-key map (kbd "C-c C-o") #'descartes-show-output)
    (define-key map (kbd "C-c C-q") #'descartes-answer)
    map)
  "Keys of `descartes-mode', those of SLIME where it has them.")

(defun descartes--mode-line ()
  "Return the image's state for the mode line."
  (let ((stops (or (plist-get descartes-status :stops) 0)))
    (format " Lisp[%s%s]" (plist-get descartes-status :state)
            (if (zerop stops) "" (format ", %d stopped" stops)))))

;;;###autoload
(define-minor-mode descartes-mode
  "Keys and code lenses of Descartes in a Lisp buffer."
  :lighter (:eval (descartes--mode-line))
  :keymap descartes-mode-map
  (descartes-lens-mode (if descartes-mode 1 -1)))

(defun descartes--managed ()
  "Turn `descartes-mode' on or off with eglot's management of this buffer."
  (when (derived-mode-p 'lisp-mode)
    (if (and (eglot-managed-p) (cl-typep (eglot-current-server) 'descartes-eglot-server))
        (descartes-mode 1)
      (descartes-mode -1))))

(defun descartes--ensure ()
  "Start the server for this Lisp file, if it is one and the server is installed."
  (when (and descartes-auto-start buffer-file-name (executable-find (car descartes-command)))
    (eglot-ensure)))

(add-to-list 'eglot-server-programs
             (cons 'lisp-mode (lambda (&rest _) (cons 'descartes-eglot-server descartes-command))))
(add-hook 'eglot-managed-mode-hook #'descartes--managed)
(add-hook 'lisp-mode-hook #'descartes--ensure)

(provide 'descartes)

(require 'descartes-debugger)
(require 'descartes-lens)
(require 'descartes-runs)

;;; descartes.el ends here
