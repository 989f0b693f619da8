;;; descartes-memory.el --- Whiteboards of sessions, and what was learned -*- lexical-binding: t -*-

;; SPDX-License-Identifier: MIT

;;; Commentary:

;; `descartes-whiteboard' lists what the runs of a session and people wrote for
;; each other, `descartes-wisdom' what was learned here.  In the whiteboard:
;;
;;   RET  the whole entry    a  write something beside it    c  a new entry
;;
;; and in what was learned:
;;
;;   RET  all of it    + -  it helped, it did not    c  add some    s  ask about something

;;; Code:

(require 'descartes)
(require 'descartes-runs)
(require 'descartes-explore)

(defconst descartes-memory--types
  '("design_decision" "task_description" "code_snippet" "error_report" "solution")
  "Kinds of entries of a whiteboard.")

(defconst descartes-memory--markers '("insight" "important" "question" "verification" "correction")
  "What an annotation may be.")

(defun descartes-memory--line (text)
  "Return the first line of TEXT."
  (car (split-string (string-trim text) "\n")))

(defun descartes-memory--signed (thing)
  "Return by whom and when THING was written."
  (format "%s, %s %s" (plist-get (plist-get thing :by) :name)
          (substring (plist-get thing :at) 0 10) (descartes--clock (plist-get thing :at))))

;;; Whiteboards

(defun descartes-memory--entry-row (entry)
  "Return ENTRY of a whiteboard as the texts of a line."
  (let ((beside (length (plist-get entry :annotations))))
    (list (descartes--clock (plist-get entry :at))
          (plist-get (plist-get entry :by) :name)
          (string-replace "_" " " (plist-get entry :type))
          (if (zerop beside) "" (number-to-string beside))
          (descartes-memory--line (plist-get entry :content)))))

(defun descartes-memory--show-entry (entry)
  "Show all of ENTRY and what was written beside it."
  (descartes--show-text
   "whiteboard-entry"
   (concat (propertize (string-replace "_" " " (plist-get entry :type)) 'face 'bold)
           (propertize (format "  %s\n\n" (descartes-memory--signed entry)) 'face 'shadow)
           (plist-get entry :content) "\n"
           (mapconcat (lambda (each)
                        (concat "\n" (propertize (plist-get each :marker) 'face 'font-lock-keyword-face)
                                (propertize (format "  %s\n" (descartes-memory--signed each)) 'face 'shadow)
                                (plist-get each :text) "\n"))
                      (plist-get entry :annotations) ""))))

(defun descartes-memory--annotate (entry)
  "Write something beside ENTRY."
  (let* ((marker (completing-read "It is: " descartes-memory--markers nil t nil nil "insight"))
         (text (read-string "Text: ")))
    (descartes-call "whiteboard.annotate" (list :entry (plist-get entry :id) :text text :marker marker)
                    (lambda (_) (descartes-whiteboard (plist-get entry :session))))))

(defun descartes-memory--post (session)
  "Put a new entry on the whiteboard of SESSION."
  (let* ((type (completing-read "Kind: " descartes-memory--types nil t nil nil (car descartes-memory--types)))
         (text (read-string "Text: ")))
    (descartes-call "whiteboard.post" (list :session session :type type :content text)
                    (lambda (_) (descartes-whiteboard session)))))

(defun descartes-memory--show-board (board)
  "List the entries of BOARD."
  (let ((session (plist-get board :session)))
    (descartes--table
     "*descartes-whiteboard*" '(("Time" 9) ("By" 14) ("Kind" 17) ("Notes" 6) ("Text" 80))
     (append (plist-get board :entries) nil) #'descartes-memory--entry-row
     `(("RET" descartes-memory--show-entry)
       ("a" descartes-memory--annotate)
       ("c" ,(lambda (_) (descartes-memory--post session)) t)
       ("g" ,(lambda (_) (descartes-whiteboard session)) t)))))

(defun descartes-whiteboard (&optional session)
  "List the whiteboard of SESSION, by default of the newest run's."
  (interactive)
  (descartes-call "whiteboard.list" (when session (list :session session)) #'descartes-memory--show-board))

;;; What was learned

(defun descartes-memory--wisdom-row (wisdom)
  "Return WISDOM as the texts of a line."
  (list (format "%3d%%" (round (* 100 (plist-get wisdom :confidence))))
        (number-to-string (plist-get wisdom :outcomes))
        (plist-get wisdom :category)
        (string-join (append (plist-get wisdom :tags) nil) ", ")
        (descartes-memory--line (plist-get wisdom :insight))))

(defun descartes-memory--show-wisdom (wisdom)
  "Show all of WISDOM."
  (descartes--show-text
   "piece-of-wisdom"
   (format "%s\n\n%s\n" (plist-get wisdom :insight)
           (propertize (format "%s; trusted %d%% after %d outcomes, %d%% at first" (descartes-memory--signed wisdom)
                               (round (* 100 (plist-get wisdom :confidence))) (plist-get wisdom :outcomes)
                               (round (* 100 (plist-get wisdom :initial))))
                       'face 'shadow))))

(defun descartes-memory--outcome (wisdom helped about)
  "Say that WISDOM HELPED, t or :json-false.
Then list what there is ABOUT something."
  (descartes-call "wisdom.outcome" (list :wisdom (plist-get wisdom :id) :helped helped)
                  (lambda (now)
                    (message "Descartes: now trusted %d%%" (round (* 100 (plist-get now :confidence))))
                    (descartes-wisdom about))))

(defun descartes-memory--add ()
  "Keep something that was learned."
  (let ((insight (read-string "What was learned: "))
        (category (read-string "Category: " nil nil "general")))
    (descartes-call "wisdom.add" (list :insight insight :category category)
                    (lambda (_) (descartes-wisdom)))))

(defun descartes-memory--list-wisdom (found about)
  "List FOUND, what there is ABOUT something."
  (descartes--table
   "*descartes-wisdom*" '(("Trusted" 8) ("Tried" 6) ("Category" 14) ("Tags" 18) ("What was learned" 90))
   (append found nil) #'descartes-memory--wisdom-row
   `(("RET" descartes-memory--show-wisdom)
     ("+" ,(lambda (wisdom) (descartes-memory--outcome wisdom t about)))
     ("-" ,(lambda (wisdom) (descartes-memory--outcome wisdom :json-false about)))
     ("c" ,(lambda (_) (descartes-memory--add)) t)
     ("g" ,(lambda (_) (descartes-wisdom about)) t)
     ("s" ,(lambda (_) (descartes-wisdom (read-string "What is known about: "))) t))))

(defun descartes-wisdom (&optional about)
  "List what was learned, the most trusted first.
ABOUT something, with a prefix argument, the most fitting comes first."
  (interactive (list (when current-prefix-arg (read-string "What is known about: "))))
  (let ((about (and about (not (string-blank-p about)) about)))
    (descartes-call "wisdom.list" (append '(:limit 1000) (when about (list :about about)))
                    (lambda (found) (descartes-memory--list-wisdom (plist-get found :wisdom) about)))))

(provide 'descartes-memory)
;;; descartes-memory.el ends here
