;;; descartes-replace.el --- A text replaced in many files -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes-replace' shows as a diff what would change; C-c C-c there does
;; it, in the files that are left in the diff: K leaves one out.
;; `descartes-undo-restore' takes it back.

;;; Code:

(require 'descartes)
(require 'diff-mode)

(defvar-local descartes-replace--preview nil
  "The preview that this diff shows, as the server sent it.")

(defvar descartes-replace-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map (kbd "C-c C-c") #'descartes-replace-apply)
    (define-key map (kbd "C-c C-k") #'quit-window)
    (define-key map (kbd "K") #'diff-file-kill)
    (define-key map (kbd "q") #'quit-window)
    ;; A file is changed as the preview shows it, or not at all.
    (define-key map [remap diff-hunk-kill] #'diff-file-kill)
    map))

(define-derived-mode descartes-replace-mode diff-mode "Descartes-Replace"
  "What a replacement would change.
\\{descartes-replace-mode-map}"
  (setq buffer-read-only t))

(defun descartes-replace--counted (count noun)
  "Return COUNT things that are called NOUN."
  (format "%d %s%s" count noun (if (= count 1) "" "s")))

(defun descartes-replace--heading (preview)
  "Return what stands above the diff of PREVIEW."
  (format "%s: %s in %s   C-c C-c replace  K leave a file out  q leave it%s"
          (plist-get preview :what)
          (descartes-replace--counted (plist-get preview :count) "place")
          (descartes-replace--counted (length (plist-get preview :files)) "file")
          (if-let ((refused (plist-get preview :refused))) (concat "   " refused) "")))

(defun descartes-replace--show (preview)
  "Show the diff of PREVIEW."
  (if (seq-empty-p (plist-get preview :files))
      (message "Descartes: %s: there is nothing to change" (plist-get preview :what))
    (with-current-buffer (get-buffer-create "*descartes-replace*")
      (let ((inhibit-read-only t))
        (erase-buffer)
        (seq-doseq (file (plist-get preview :files))
          (insert (plist-get file :diff))))
      (goto-char (point-min))
      (descartes-replace-mode)
      (setq descartes-replace--preview preview
            header-line-format (list "%e" (string-replace "%" "%%" (descartes-replace--heading preview))))
      (pop-to-buffer (current-buffer)))))

(defun descartes-replace--files ()
  "Return the files that are left in this diff."
  (let (found)
    (save-excursion
      (goto-char (point-min))
      (while (re-search-forward "^--- a/.*\n\\+\\+\\+ b/\\(.*?\\)\t?$" nil t)
        (push (match-string-no-properties 1) found)))
    (nreverse found)))

(defun descartes-replace--done (done)
  "Say what was DONE, and let the buffers have it that visit the files."
  (let ((count (length (plist-get done :files))))
    (dolist (buffer (buffer-list))
      (when (and (buffer-file-name buffer) (not (buffer-modified-p buffer))
                 (not (verify-visited-file-modtime buffer)))
        (with-current-buffer buffer (revert-buffer t t t))))
    (message "Descartes: %s changed  (M-x descartes-undo-restore)" (descartes-replace--counted count "file"))))

(defun descartes-replace-apply ()
  "Change the files that are left in this diff, all of them or none."
  (interactive)
  (let ((files (descartes-replace--files)))
    (unless files
      (user-error "No file is left in the diff; nothing is changed"))
    (descartes-call "edit.apply"
                    (list :confirm (plist-get descartes-replace--preview :id) :paths (vconcat files))
                    (lambda (done)
                      (quit-windows-on (current-buffer) t)
                      (descartes-replace--done done)))))

;;;###autoload
(defun descartes-replace (kind pattern replacement)
  "Show what would change in the workspace with REPLACEMENT for PATTERN.
KIND is text, symbol or expression: PATTERN as it is, a whole Lisp
symbol, or a regular expression as Python has them."
  (interactive
   (let* ((here (thing-at-point 'symbol t))
          (kind (completing-read "Replace (text, symbol, expression): " '("text" "symbol" "expression")
                                 nil t nil nil (if here "symbol" "text")))
          (old (read-string (format "Replace %s: " kind) nil nil here)))
     (list kind old (read-string (format "Replace %s by: " old)))))
  (save-some-buffers)
  (descartes-call "edit.preview"
                  (append (list :pattern pattern :replacement replacement)
                          (pcase kind
                            ("symbol" (list :symbol t))
                            ("expression" (list :regex t))))
                  #'descartes-replace--show))

(provide 'descartes-replace)
;;; descartes-replace.el ends here
