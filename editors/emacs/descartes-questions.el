;;; descartes-questions.el --- Questions of runs and of restores -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; A question is announced in the echo area and answered by `descartes-answer',
;; C-c C-q.

;;; Code:

(require 'descartes)

(defvar descartes-questions nil
  "The questions that are open now, as the server sent them.")

(defvar descartes-questions--announced nil)

(defun descartes-questions-update (questions)
  "Take in QUESTIONS, all that are open now; new ones are announced."
  (setq descartes-questions questions)
  (dolist (question questions)
    (let ((id (plist-get question :id)))
      (unless (or (member id descartes-questions--announced)
                  (equal (plist-get question :kind) "restart"))
        (push id descartes-questions--announced)
        (message "Descartes asks: %s  (C-c C-q)" (plist-get question :title)))))
  (force-mode-line-update t))

(defun descartes-questions--pick (prompt things)
  "Return the one of THINGS that is picked by its title, after PROMPT.
The only one is not asked for."
  (if (cdr things)
      (let ((titles (mapcar (lambda (each) (cons (plist-get each :title) each)) things)))
        (cdr (assoc (completing-read prompt titles nil t) titles)))
    (car things)))

(defun descartes-questions--with-detail (question function)
  "Call FUNCTION while the detail of QUESTION is shown in another window."
  (if (string-blank-p (or (plist-get question :detail) ""))
      (funcall function)
    (let* ((buffer (get-buffer-create "*descartes-question*"))
           (window (with-current-buffer buffer
                     (let ((inhibit-read-only t))
                       (erase-buffer)
                       (insert (plist-get question :title) "\n\n" (plist-get question :detail) "\n")
                       (goto-char (point-min)))
                     (special-mode)
                     (display-buffer buffer '(nil (inhibit-same-window . t))))))
      (unwind-protect (funcall function)
        (when (window-live-p window)
          (quit-restore-window window 'kill))))))

(defun descartes-questions--read-several (prompt notes &optional initial)
  "Ask with PROMPT for some of the keys of NOTES, shown with their values.
INITIAL is what is there to be accepted."
  (let ((completion-extra-properties
         (list :annotation-function (lambda (each) (concat "  " (cdr (assoc each notes)))))))
    (seq-remove #'string-empty-p (completing-read-multiple prompt (mapcar #'car notes) nil t initial))))

(defun descartes-questions--file-note (file)
  "Return what becomes of FILE, and what a person wants to know before."
  (let ((holder (plist-get (plist-get file :leasedBy) :name)) (unsaved (plist-get file :unsaved)))
    (string-join (delq nil (list (plist-get file :change)
                                 (when (eq (plist-get file :userEdited) t) "edited by a person")
                                 (when holder (concat "held by " holder))
                                 (when unsaved (concat "unsaved in " unsaved))))
                 ", ")))

(defun descartes-questions--read-paths (question)
  "Return the files of QUESTION that the person names, or nil for all of them."
  (when-let ((files (append (plist-get (plist-get question :data) :files) nil)))
    (descartes-questions--read-several
     "Only these files (nothing: all of them): "
     (mapcar (lambda (each) (cons (plist-get each :path) (descartes-questions--file-note each))) files))))

(defun descartes-questions--read-bodies (question)
  "Return which bodies go back as the person answers QUESTION.
Nil is for a question without this choice.  The image is not proposed:
going back ends the one that runs."
  (let* ((offers (append (plist-get (plist-get question :data) :bodies) nil))
         (name (lambda (each) (string-remove-prefix "the " (downcase (plist-get each :title)))))
         (notes (mapcar (lambda (each) (cons (funcall name each) (plist-get each :detail))) offers))
         (proposed (seq-remove (lambda (each) (equal (plist-get each :body) "image")) offers)))
    (when (cdr offers)
      (let ((chosen (descartes-questions--read-several
                     (format "What goes back (of %s): " (mapconcat #'car notes ", "))
                     notes (mapconcat name proposed ","))))
        (or (cl-loop for each in offers
                     when (member (funcall name each) chosen) collect (plist-get each :body))
            (user-error "Nothing was chosen to go back; the question is still open"))))))

(defun descartes-questions--proposal (question name)
  "Return the text that is there to be changed when NAME is asked for QUESTION."
  (when-let ((call (and (equal name "arguments") (plist-get (plist-get question :data) :toolArgs))))
    (ignore-errors (json-serialize call :false-object :json-false :null-object nil))))

(defun descartes-questions--read-more (question choice bodies)
  "Return what the person gives with CHOICE for QUESTION, of which BODIES go back."
  (let (arguments reason)
    (seq-doseq (name (plist-get choice :arguments))
      (pcase name
        ("reason" (setq reason (read-string "Reason: ")))
        ("paths" (when (or (null bodies) (member "body" bodies))
                   (setq arguments (append arguments (descartes-questions--read-paths question)))))
        (_ (setq arguments (append arguments
                                   (list (read-string (format "%s: " name)
                                                      (descartes-questions--proposal question name))))))))
    (append (when arguments (list :arguments (vconcat arguments)))
            (unless (string-empty-p (or reason "")) (list :reason reason)))))

(defun descartes-questions--read-answer (question)
  "Ask for the answer to QUESTION, as parameters of intervention.answer."
  (let* ((titles (mapcar (lambda (each) (cons (plist-get each :title) each)) (plist-get question :choices)))
         (title (completing-read (concat (plist-get question :title) ": ") titles nil t))
         (choice (cdr (assoc title titles)))
         (bodies (when (seq-contains-p (plist-get choice :arguments) "paths")
                   (descartes-questions--read-bodies question))))
    (append (list :id (plist-get question :id) :choice (plist-get choice :id))
            (when bodies (list :bodies (vconcat bodies)))
            (descartes-questions--read-more question choice bodies))))

(defun descartes-answer ()
  "Answer a question that a run asks."
  (interactive)
  (unless descartes-questions
    (user-error "No question is open"))
  (let* ((question (descartes-questions--pick "Question: " descartes-questions))
         (params (descartes-questions--with-detail question (lambda () (descartes-questions--read-answer question)))))
    (descartes-call "intervention.answer" params)))

(provide 'descartes-questions)
;;; descartes-questions.el ends here
