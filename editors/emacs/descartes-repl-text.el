;;; descartes-repl-text.el --- What stands in a read-eval-print loop -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Writing into the buffer of a REPL: the prompt, what is printed, which goes
;; before the prompt, and values, each a button that opens the inspector.
;; What is evaluated there, and when, is in `descartes-repl'.

;;; Code:

(require 'descartes)
(require 'comint)

(defface descartes-repl-value '((t :inherit font-lock-constant-face)) "A value." :group 'descartes)
(defface descartes-repl-output '((t :inherit font-lock-string-face)) "What was printed." :group 'descartes)
(defface descartes-repl-problem '((t :inherit error)) "Why there is no value." :group 'descartes)

(defcustom descartes-repl-buffer-limit 2000000
  "Characters that a REPL's buffer keeps."
  :type 'integer :group 'descartes)

(defvar-local descartes-repl-package "COMMON-LISP-USER" "The package that this REPL is in.")
(defvar-local descartes-repl--prompt-text nil "The prompt, where it is not the package.")
(defvar-local descartes-repl--running nil "Non-nil while the prompt is away; the evaluation's id, once known.")

(defun descartes-repl--mark ()
  "Return the place where the process' output ends and input begins."
  (process-mark (get-buffer-process (current-buffer))))

(defun descartes-repl--place ()
  "Return where to write: before the prompt, if it is there."
  (if descartes-repl--running
      (marker-position (descartes-repl--mark))
    (save-excursion
      (goto-char (descartes-repl--mark))
      ;; The prompt is a field of its own: else its end would count as the line's beginning.
      (let ((inhibit-field-text-motion t))
        (line-beginning-position)))))

(defun descartes-repl--insert (text &rest properties)
  "Write TEXT with PROPERTIES behind all that was written, before the prompt."
  (let* ((inhibit-read-only t)
         (at-end (= (point) (point-max)))
         (mark (descartes-repl--mark))
         (before-prompt (not descartes-repl--running)))
    (save-excursion
      (goto-char (descartes-repl--place))
      (let ((text (apply #'propertize text
                         (append properties '(field output front-sticky t rear-nonsticky t)))))
        (if before-prompt
            (insert text)
          (insert-before-markers text)
          (set-marker mark (point)))))
    (when at-end
      (goto-char (point-max))
      (dolist (window (get-buffer-window-list nil nil t))
        (set-window-point window (point-max))))
    (descartes-repl--shorten)))

(defun descartes-repl--shorten ()
  "Drop the oldest text of a buffer that has become too long."
  (when (> (buffer-size) descartes-repl-buffer-limit)
    (let ((inhibit-read-only t))
      (save-excursion
        (goto-char (- (point-max) (/ descartes-repl-buffer-limit 2)))
        (delete-region (point-min) (line-beginning-position))))))

(defun descartes-repl--fresh-line ()
  "Begin a new line, unless at one."
  (unless (save-excursion (goto-char (descartes-repl--place)) (bolp))
    (descartes-repl--insert "\n")))

(defun descartes-repl--prompt ()
  "Show the prompt."
  (descartes-repl--fresh-line)
  (setq descartes-repl--running nil)
  (comint-output-filter (get-buffer-process (current-buffer))
                        (concat (cond (descartes-repl--prompt-text)
                                      ((equal descartes-repl-package "COMMON-LISP-USER") "CL-USER")
                                      (t descartes-repl-package))
                                "> "))
  (force-mode-line-update))

(defun descartes-repl--insert-value (evaluation text index)
  "Write TEXT, the value INDEX of EVALUATION, as a button."
  (let ((number (plist-get evaluation :number))
        (inspect (lambda (&rest _) (interactive)
                   (descartes-inspect-value (plist-get evaluation :id) index)))
        (map (make-sparse-keymap)))
    (define-key map (kbd "RET") inspect)
    (define-key map [mouse-2] inspect)
    (define-key map [follow-link] 'mouse-face)
    (descartes-repl--insert (concat (if number (format "#v%d%s " number (if (zerop index) "" (format ":%d" index)))
                                      "")
                                    "⇒ ")
                            'font-lock-face 'shadow)
    (descartes-repl--insert text 'font-lock-face 'descartes-repl-value 'keymap map 'mouse-face 'highlight
                            'help-echo "RET, mouse-1: inspect this value")
    (descartes-repl--insert "\n")))

(defun descartes-repl--line (condition)
  "Return the message of CONDITION as one line."
  (string-join (split-string (or (plist-get condition :message) "") "[\n ]+" t) " "))

(defun descartes-repl--insert-outcome (evaluation)
  "Write what EVALUATION has come to."
  (let ((condition (plist-get evaluation :condition)))
    (pcase (plist-get evaluation :state)
      ("done" (let ((index -1))
                (seq-doseq (text (plist-get evaluation :values))
                  (descartes-repl--insert-value evaluation text (setq index (1+ index))))
                (when (< index 0)
                  (descartes-repl--insert "; no values\n" 'font-lock-face 'shadow))))
      ("stopped" (descartes-repl--insert
                  (format "; stopped: %s  (C-c C-d)\n" (descartes-repl--line condition))
                  'font-lock-face 'descartes-repl-problem))
      (state (descartes-repl--insert
              (format "; %s%s\n" state
                      (if condition (concat ": " (descartes-repl--line condition)) ""))
              'font-lock-face 'descartes-repl-problem)))))

(provide 'descartes-repl-text)
;;; descartes-repl-text.el ends here
