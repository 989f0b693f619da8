;;; descartes-lens.el --- Code lenses above their lines -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; eglot shows no code lenses before version 1.18; these are drawn as lines of
;; links above the line they are about, asked for when the server says they
;; have changed and when the text rests.

;;; Code:

(require 'descartes)

(defface descartes-lens '((t :inherit shadow :height 0.9)) "A code lens." :group 'descartes)

(defvar-local descartes-lens--timer nil)

(defun descartes-lens--run (command)
  "Run COMMAND of a lens."
  (jsonrpc-async-request
   (descartes-server) :workspace/executeCommand
   (list :command (plist-get command :command) :arguments (or (plist-get command :arguments) []))
   :success-fn (lambda (result)
                 (when-let ((evaluation (and (listp result) (plist-get result :evaluation))))
                   (descartes-show-evaluation evaluation)))
   :error-fn (lambda (error) (message "Descartes: %s" (plist-get error :message)))
   :timeout 3600))

(defun descartes-lens--link (command)
  "Return the title of COMMAND as a link."
  (let ((map (make-sparse-keymap)))
    (define-key map [mouse-1] (lambda () (interactive) (descartes-lens--run command)))
    (propertize (plist-get command :title)
                'face 'descartes-lens 'mouse-face 'highlight 'keymap map
                'descartes-command command)))

(defun descartes-lens--draw (lenses)
  "Draw LENSES, those of one line together."
  (remove-overlays (point-min) (point-max) 'descartes-lens t)
  (dolist (group (seq-group-by
                  (lambda (lens) (plist-get (plist-get (plist-get lens :range) :start) :line))
                  (append lenses nil)))
    (let* ((position (save-excursion
                       (goto-char (car (eglot--range-region (plist-get (cadr group) :range))))
                       (back-to-indentation)
                       (point)))
           (column (save-excursion (goto-char position) (current-column)))
           (commands (mapcar (lambda (lens) (plist-get lens :command)) (cdr group)))
           (overlay (make-overlay (line-beginning-position) (line-beginning-position))))
      (move-overlay overlay (save-excursion (goto-char position) (line-beginning-position))
                    (save-excursion (goto-char position) (line-beginning-position)))
      (overlay-put overlay 'descartes-lens t)
      (overlay-put overlay 'descartes-commands commands)
      (overlay-put overlay 'before-string
                   (concat (make-string column ?\s)
                           (mapconcat #'descartes-lens--link commands (propertize " │ " 'face 'descartes-lens))
                           "\n")))))

(defun descartes-lens-refresh ()
  "Ask for this buffer's lenses and draw them."
  (interactive)
  (when-let ((server (and (eglot-managed-p) (eglot-current-server))))
    (let ((buffer (current-buffer)))
      (jsonrpc-async-request
       server :textDocument/codeLens (list :textDocument (eglot--TextDocumentIdentifier))
       :success-fn (lambda (lenses)
                     (when (buffer-live-p buffer)
                       (with-current-buffer buffer
                         (save-restriction (widen) (descartes-lens--draw lenses)))))
       :error-fn #'ignore))))

(defun descartes-lens-run-here ()
  "Run a code lens of this line; asks which, when there are several."
  (interactive)
  (let* ((commands (cl-loop for overlay in (overlays-in (line-beginning-position) (1+ (line-end-position)))
                            append (overlay-get overlay 'descartes-commands)))
         (titles (mapcar (lambda (each) (cons (plist-get each :title) each)) commands)))
    (unless commands
      (user-error "No code lens on this line"))
    (descartes-lens--run
     (if (cdr titles)
         (cdr (assoc (completing-read "Lens: " titles nil t) titles))
       (cdar titles)))))

(defun descartes-lens--later (&rest _)
  "Refresh when Emacs has been idle for a moment."
  (when descartes-lens--timer
    (cancel-timer descartes-lens--timer))
  (let ((buffer (current-buffer)))
    (setq descartes-lens--timer
          (run-with-idle-timer
           0.4 nil (lambda ()
                     (when (buffer-live-p buffer)
                       (with-current-buffer buffer (descartes-lens-refresh))))))))

(defun descartes-lens-refresh-all ()
  "Refresh the lenses of every buffer that has them."
  (dolist (buffer (buffer-list))
    (with-current-buffer buffer
      (when (bound-and-true-p descartes-lens-mode)
        (descartes-lens-refresh)))))

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql workspace/codeLens/refresh)) &rest _)
  "The lenses have changed."
  (run-with-timer 0 nil #'descartes-lens-refresh-all)
  nil)

;;;###autoload
(define-minor-mode descartes-lens-mode
  "Show code lenses above their lines."
  :lighter nil
  (if descartes-lens-mode
      (progn (add-hook 'after-change-functions #'descartes-lens--later nil t)
             (descartes-lens-refresh))
    (remove-hook 'after-change-functions #'descartes-lens--later t)
    (remove-overlays (point-min) (point-max) 'descartes-lens t)))

(cl-defmethod eglot-client-capabilities :around ((_server descartes-eglot-server))
  "Say that lenses can be refreshed."
  (let* ((capabilities (cl-call-next-method))
         (workspace (plist-get capabilities :workspace)))
    (plist-put capabilities :workspace
               (append workspace '(:codeLens (:refreshSupport t))))))

(provide 'descartes-lens)
;;; descartes-lens.el ends here
