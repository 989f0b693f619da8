;;; descartes-timeline.el --- Walking through what runs did -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes-run-history' and `descartes-file-history' show a history as a
;; document.  In it:
;;
;;   n p  the next entry, the one before     + -  more or less detail
;;   R    go back to here, after a preview   f    go on from here in a new session
;;   P    play, or pause                     q    bury it
;;
;; `descartes-undo-restore' takes the last restore back.

;;; Code:

(require 'descartes)
(require 'descartes-runs)

(defconst descartes-timeline--levels ["turns" "steps" "events"]
  "Levels of detail.")

(defvar-local descartes-timeline--about nil
  "What this buffer is the history of: (:run ID) or (:uri URI).")

(defvar-local descartes-timeline--document nil
  "What the server said of the document that this buffer shows.")

(defvar descartes-timeline-mode-map
  (let ((map (make-sparse-keymap)))
    (define-key map "n" #'descartes-timeline-next)
    (define-key map "p" #'descartes-timeline-previous)
    (define-key map "+" #'descartes-timeline-more)
    (define-key map "-" #'descartes-timeline-less)
    (define-key map "R" #'descartes-timeline-restore)
    (define-key map "f" #'descartes-timeline-fork)
    (define-key map "P" #'descartes-timeline-play)
    (define-key map "q" #'quit-window)
    map)
  "Keys of a history.")

(define-minor-mode descartes-timeline-mode
  "A history to walk through."
  :lighter " History")

(defun descartes-timeline--show (about)
  "Show the history that ABOUT, a property list, names."
  (descartes-call
   "history.document" about
   (lambda (document)
     (let ((buffer (find-file-noselect (plist-get document :path) t)))
       (with-current-buffer buffer
         (revert-buffer t t t)
         (setq buffer-read-only t
               descartes-timeline--about (descartes-timeline--of about)
               descartes-timeline--document document)
         (descartes-timeline-mode)
         (goto-char (point-min))
         (forward-line (plist-get (plist-get (plist-get document :range) :start) :line)))
       (pop-to-buffer buffer)
       (set-window-point (get-buffer-window buffer) (with-current-buffer buffer (point)))
       (recenter)))))

(defun descartes-timeline--of (about)
  "Return the run or file of ABOUT alone."
  (let ((key (if (plist-get about :run) :run :uri)))
    (list key (plist-get about key))))

(defun descartes-timeline--go (key)
  "Go to the entry that the document names as KEY."
  (let ((seq (plist-get descartes-timeline--document key)))
    (if (numberp seq)
        (descartes-timeline--at seq (plist-get descartes-timeline--document :level))
      (message "Descartes: the history ends here"))))

(defun descartes-timeline--at (seq level)
  "Show the entry SEQ on LEVEL."
  (descartes-timeline--show (append descartes-timeline--about
                                    (list :at (number-to-string seq) :level level))))

(defun descartes-timeline--detail (step)
  "Show STEP more detail."
  (let ((index (cl-position (plist-get descartes-timeline--document :level) descartes-timeline--levels
                            :test #'equal)))
    (descartes-timeline--at (plist-get descartes-timeline--document :at)
                            (aref descartes-timeline--levels (max 0 (min 2 (+ index step)))))))

(defun descartes-timeline-next ()
  "Go to the next entry."
  (interactive)
  (descartes-timeline--go :next))

(defun descartes-timeline-previous ()
  "Go to the entry before."
  (interactive)
  (descartes-timeline--go :previous))

(defun descartes-timeline-more ()
  "Show more detail."
  (interactive)
  (descartes-timeline--detail 1))

(defun descartes-timeline-less ()
  "Show less detail."
  (interactive)
  (descartes-timeline--detail -1))

(defun descartes-timeline--run ()
  "Return the run that this is the history of, else an error of the user's."
  (or (plist-get descartes-timeline--about :run)
      (user-error "This is the history of a file; look at that of a run")))

(defun descartes-timeline--ask-restore (bodies otherwise)
  "Be asked whether BODIES go back to here; where that cannot be, do OTHERWISE."
  (descartes-call "restore.preview"
                  (list :run (descartes-timeline--run) :ask t :bodies bodies
                        :to (plist-get descartes-timeline--document :event))
                  #'ignore otherwise))

(defun descartes-timeline-restore ()
  "See what going back to here would change, and be asked whether to.
What goes back is chosen then: files, the conversation, the image."
  (interactive)
  (descartes-timeline--ask-restore
   ["body" "brain" "image"]
   ;; At that moment no image ran, perhaps; what else is wrong the server says again.
   (lambda (&rest _) (descartes-timeline--ask-restore ["body" "brain"] nil))))

(defun descartes-timeline-fork ()
  "Go on from here in a new session."
  (interactive)
  (descartes-call "session.fork"
                  (list :run (descartes-timeline--run)
                        :at (plist-get descartes-timeline--document :event))
                  (lambda (branch)
                    (message "Descartes: session %s goes on from here"
                             (substring (plist-get branch :session) 4 12)))))

(defun descartes-timeline-play ()
  "Let the history go on by itself, or wait."
  (interactive)
  (descartes-call "history.playback" (list :run (descartes-timeline--run))
                  (lambda (playback) (message "Descartes: %s" (plist-get playback :state)))))

(defun descartes-run-history (run)
  "Walk through the history of RUN, chosen among all."
  (interactive (list nil))
  (if run
      (descartes-timeline--show (list :run run))
    (descartes-call
     "run.list" nil
     (lambda (result)
       (let ((runs (mapcar (lambda (each)
                             (cons (format "%s  %s  %s" (car (split-string (plist-get each :task) "\n"))
                                           (plist-get each :status) (substring (plist-get each :id) 4 12))
                                   (plist-get each :id)))
                           (plist-get result :runs))))
         (if (null runs)
             (message "Descartes: no run was started here yet")
           (descartes-run-history (cdr (assoc (completing-read "History of the run: " runs nil t) runs)))))))))

(defun descartes-file-history ()
  "Walk through the history of this file."
  (interactive)
  (descartes-timeline--show (list :uri (plist-get (descartes--here) :uri))))

(defun descartes-run-picture ()
  "Draw what the agents did last, and open the picture."
  (interactive)
  (descartes-call "history.picture" nil
                  (lambda (picture) (browse-url-of-file (plist-get picture :path)))))

(defun descartes-timeline--turn (operation said &optional arguments)
  "Call OPERATION with ARGUMENTS and say SAID with the number of files.
What was changed since is only taken away when one chooses so."
  (descartes-call operation arguments
                  (lambda (done)
                    (let ((count (length (plist-get done :files))))
                      (message "Descartes: %s: %d file%s" said count (if (= count 1) "" "s"))))
                  (lambda (text data)
                    (message "Descartes: %s" text)
                    (when-let ((way (descartes-timeline--way text (plist-get data :choices))))
                      (descartes-timeline--turn operation said (plist-get way :arguments))))))

(defun descartes-timeline--way (text ways)
  "Return which of WAYS one chooses to go on after the refusal TEXT, nil for none."
  (let ((titles (mapcar (lambda (way) (plist-get way :title)) ways))
        (leave "Leave everything as it is"))
    (when titles
      (let ((chosen (completing-read (format "Descartes: %s. " text) (cons leave titles) nil t nil nil leave)))
        (seq-find (lambda (way) (equal chosen (plist-get way :title))) ways)))))

(defun descartes-undo-restore ()
  "Take the last restore back."
  (interactive)
  (descartes-timeline--turn "restore.undo" "the restore is undone"))

(defun descartes-redo-restore ()
  "Do the restore again that was undone last."
  (interactive)
  (descartes-timeline--turn "restore.redo" "restored again"))

(provide 'descartes-timeline)
;;; descartes-timeline.el ends here
