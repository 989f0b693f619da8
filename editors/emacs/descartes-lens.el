;;; descartes-lens.el --- Code lenses above their lines, results behind their forms -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; eglot shows no code lenses; these are drawn as lines of links above the line
;; they are about, asked for when the server says that they have changed and
;; when the text rests.  A click runs one, or `descartes-lens-run-here'.
;;
;; What an evaluation came to is drawn behind its form, where eglot does not
;; draw such inlay hints itself.

;;; Code:

(require 'descartes-eglot)

(defface descartes-lens '((t :inherit (link shadow) :underline nil))
  "A code lens."
  :group 'descartes)

(defface descartes-lens-condition '((t :inherit error))
  "The code lens of a stop."
  :group 'descartes)

(defvar-local descartes-lens--timer nil)

(defun descartes-lens--link (command)
  "Return the title of COMMAND as a link."
  (let ((map (make-sparse-keymap)))
    (define-key map [mouse-1] (lambda () (interactive) (descartes-run-command command)))
    (propertize (plist-get command :title)
                'face (if (equal (plist-get command :command) "descartes.debugger.list")
                          'descartes-lens-condition
                        'descartes-lens)
                'mouse-face 'highlight 'help-echo "mouse-1: run this" 'keymap map)))

(defun descartes-lens--line (commands indentation)
  "Return the links of COMMANDS as lines of text after INDENTATION columns."
  (let ((room (- (if-let ((window (get-buffer-window))) (window-body-width window) 80) indentation))
        (column 0)
        (start (make-string indentation ?\s))
        parts)
    (dolist (command commands)
      (let ((width (+ 3 (string-width (plist-get command :title)))))
        (cond ((zerop column) (push start parts))
              ((> (+ column width) room)
               (push (concat "\n" start) parts)
               (setq column 0))
              (t (push (propertize " │ " 'face 'shadow) parts)))
        (push (descartes-lens--link command) parts)
        (setq column (+ column width))))
    (concat (string-join (nreverse parts)) "\n")))

(defun descartes-lens--draw-line (line commands)
  "Draw COMMANDS above LINE, counted from 0."
  (save-excursion
    (goto-char (point-min))
    (forward-line line)
    (let ((overlay (make-overlay (point) (point))))
      (overlay-put overlay 'descartes-lens t)
      (overlay-put overlay 'descartes-commands commands)
      (overlay-put overlay 'before-string (descartes-lens--line commands (current-indentation))))))

(defun descartes-lens--draw (lenses)
  "Draw LENSES in the current buffer, those of one line together."
  (save-restriction
    (widen)
    (remove-overlays (point-min) (point-max) 'descartes-lens t)
    (pcase-dolist (`(,line . ,group)
                   (seq-group-by (lambda (lens) (plist-get (plist-get (plist-get lens :range) :start) :line))
                                 (append lenses nil)))
      (descartes-lens--draw-line line (mapcar (lambda (lens) (plist-get lens :command)) group)))))

(defun descartes-lens--draw-hint (hint)
  "Draw HINT, the result of an evaluation, behind its form."
  (let* ((at (eglot--lsp-position-to-point (plist-get hint :position)))
         (overlay (make-overlay at at)))
    (overlay-put overlay 'descartes-hint t)
    (overlay-put overlay 'after-string
                 (propertize (concat " " (descartes-lens--label (plist-get hint :label)))
                             'face 'descartes-lens))))

(defun descartes-lens--label (label)
  "Return LABEL, a text or parts of one, as text."
  (if (stringp label)
      label
    (mapconcat (lambda (part) (plist-get part :value)) label "")))

(defun descartes-lens--draw-hints (hints)
  "Draw HINTS in the current buffer."
  (save-restriction
    (widen)
    (remove-overlays (point-min) (point-max) 'descartes-hint t)
    (seq-doseq (each hints)
      (descartes-lens--draw-hint each))))

(defun descartes-lens--whole-buffer ()
  "Return the range of this buffer."
  (save-restriction
    (widen)
    (list :start '(:line 0 :character 0) :end (eglot--pos-to-lsp-position (point-max)))))

(defun descartes-lens--ask (method draw &rest more)
  "Ask METHOD about this buffer, with MORE parameters; DRAW what is answered."
  ;; The answer is about the text as it is now.
  (eglot--signal-textDocument/didChange)
  (let ((buffer (current-buffer)) (tick (buffer-chars-modified-tick)))
    (descartes-request
     (eglot-current-server) method
     (append (list :textDocument (eglot--TextDocumentIdentifier)) more)
     (lambda (answer)
       (when (buffer-live-p buffer)
         (with-current-buffer buffer
           (when (= tick (buffer-chars-modified-tick))
             (funcall draw answer)))))
     #'ignore)))

(defun descartes-lens-refresh ()
  "Ask for this buffer's lenses and results, and draw them."
  (interactive)
  (when (and (eglot-managed-p) (eglot-current-server))
    (descartes-lens--ask :textDocument/codeLens #'descartes-lens--draw)
    (unless (bound-and-true-p eglot-inlay-hints-mode)
      (descartes-lens--ask :textDocument/inlayHint #'descartes-lens--draw-hints
                           :range (descartes-lens--whole-buffer)))))

(defun descartes-lens-run-here ()
  "Run a code lens of this line; asks which, when there are several."
  (interactive)
  (let* ((commands (cl-loop for overlay in (overlays-in (line-beginning-position) (1+ (line-end-position)))
                            append (overlay-get overlay 'descartes-commands)))
         (titles (mapcar (lambda (each) (cons (plist-get each :title) each)) commands)))
    (unless commands
      (user-error "No code lens on this line"))
    (descartes-run-command
     (if (cdr titles)
         (cdr (assoc (completing-read "Lens: " titles nil t) titles))
       (cdar titles)))))

(define-key descartes-mode-map (kbd "C-c C-v") #'descartes-lens-run-here)

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

(cl-defmethod eglot-handle-request
  ((_server descartes-eglot-server) (_method (eql workspace/inlayHint/refresh)) &rest _)
  "The results have changed."
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
    (remove-overlays (point-min) (point-max) 'descartes-lens t)
    (remove-overlays (point-min) (point-max) 'descartes-hint t)))

(provide 'descartes-lens)
;;; descartes-lens.el ends here
